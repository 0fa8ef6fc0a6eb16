{{ config(materialized='materialized_view', indexes=[{'columns': ['shop']}]) }}
SELECT shop, count(*) AS orders, sum(amount) AS total FROM {{ ref('orders') }} GROUP BY shop
