{{ config(materialized='source', enabled=target.type == 'materialize') }}
FROM LOAD GENERATOR COUNTER (TICK INTERVAL '1s')
