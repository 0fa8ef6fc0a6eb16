{{ config(materialized='incremental', unique_key='id', enabled=target.type == 'postgres') }}
SELECT id, shop, amount FROM {{ ref('orders') }}
{% if is_incremental() %} WHERE id >= (SELECT max(id) FROM {{ this }}) {% endif %}
