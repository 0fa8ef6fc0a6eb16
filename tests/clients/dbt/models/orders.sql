SELECT id, shop, amount FROM {{ source('shop', 'sales') }} WHERE amount > 0
