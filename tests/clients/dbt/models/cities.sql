{{ config(materialized='table') }}
SELECT city, sum(total) AS total FROM {{ ref('totals') }} JOIN {{ ref('shops') }} USING (shop) GROUP BY city
