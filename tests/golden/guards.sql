CREATE TABLE a (k int, v int, w int NOT NULL);

CREATE TABLE b (k int NOT NULL, x int);

CREATE MATERIALIZED VIEW one AS SELECT k, max(x) AS x FROM b GROUP BY k;

-- What each rule must leave alone: NULLs, duplicates, errors and chance that it would lose or add.
-- lets: a WITH that is read twice is one value of chance for both; one that fails and that nobody reads is not evaluated.
WITH r AS (SELECT k, random() AS p FROM a) SELECT * FROM r x JOIN r y ON x.p = y.p;
[plan]>
With
  cte l1 =
    Project (#0, #3)
      Map (random())
        Get materialize.public.a
Return
  Filter (unsigned_zero(#1) = unsigned_zero(#3))
    CrossJoin
      Get l1
      Get l1
[opt]>
With
  cte l1 =
    Project (#0, #3)
      Map (random())
        Get materialize.public.a
Return
  Join on=(unsigned_zero(#1) = unsigned_zero(#3))
    Get l1
    Get l1
[flow]>
With
  cte l0 =
    Mfp project=(#0, #1, #2)
      compute unsigned_zero(#1)
      Mfp project=(#0, #3)
        compute random()
        Source a
Return
  DeltaJoin project=(#0, #1, #3, #4)
    %0 » %1[#2]
    %1 » %0[#2]
    Get l0
    Get l0

WITH r AS (SELECT 1 / v AS q FROM a) SELECT k FROM b;
[plan]>
With
  cte l1 =
    Project (#3)
      Map (1 / #1)
        Get materialize.public.a
Return
  Project (#0)
    Get materialize.public.b
[opt]>
Project (#0)
  Get materialize.public.b
[flow]>
Mfp project=(#0)
  Source b

WITH r AS (SELECT k, 1 / v AS q FROM a) SELECT x.k FROM r x JOIN r y ON x.k = y.k WHERE x.k > 0;
[plan]>
With
  cte l1 =
    Project (#0, #3)
      Map (1 / #1)
        Get materialize.public.a
Return
  Project (#0)
    Filter (#0 > 0)
      Filter (#0 = #2)
        CrossJoin
          Get l1
          Get l1
[opt]>
Project (#0)
  Join on=(#0 = #1)
    Filter (#0 IS NOT NULL) AND (#0 > 0)
      Project (#0)
        Get materialize.public.a
    Filter (#0 IS NOT NULL)
      Project (#0)
        Get materialize.public.a
[flow]>
DeltaJoin project=(#0)
  %0 » %1[#0 not null]
  %1 » %0[#0 not null]
  Mfp project=(#0)
    keep #0 IS NOT NULL
    keep #0 > 0
    Source a
  Source a

-- fold: a guard that can fail stays before what decides; equal tests of chance are two; NULL is not false under NOT.
SELECT k FROM a WHERE 1 / v > 0 OR true;
[plan]>
Project (#0)
  Filter (((1 / #1) > 0) OR true)
    Get materialize.public.a
[opt]>
Project (#0)
  Filter (((1 / #1) > 0) OR true)
    Project (#0, #1)
      Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep ((1 / #1) > 0) OR true
  Source a

SELECT k FROM a WHERE random() < 0.5 AND random() < 0.5;
[plan]>
Project (#0)
  Filter (random() < 0.5::double precision) AND (random() < 0.5::double precision)
    Get materialize.public.a
[opt]>
Filter (random() < 0.5) AND (random() < 0.5)
  Project (#0)
    Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep random() < 0.5
  keep random() < 0.5
  Source a

SELECT k FROM a WHERE CASE WHEN v <> 0 THEN 10 / v END > 1;
[plan]>
Project (#0)
  Filter ((case when #1 <> 0 then 10 / #1 else null end) > 1)
    Get materialize.public.a
[opt]>
Project (#0)
  Filter ((case when #1 <> 0 then 10 / #1 else null end) > 1)
    Project (#0, #1)
      Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep (case when #1 <> 0 then 10 / #1 else null end) > 1
  Source a

SELECT k FROM a WHERE (v = 0 OR 10 / v > 1) AND (v = 0 OR 10 / v > 1 OR k = 1);
[plan]>
Project (#0)
  Filter ((#1 = 0) OR ((10 / #1) > 1)) AND ((#1 = 0) OR ((10 / #1) > 1) OR (#0 = 1))
    Get materialize.public.a
[opt]>
Project (#0)
  Filter ((#1 = 0) OR ((10 / #1) > 1)) AND ((#1 = 0) OR ((10 / #1) > 1) OR (#0 = 1))
    Project (#0, #1)
      Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep (#1 = 0) OR ((10 / #1) > 1)
  keep (#1 = 0) OR ((10 / #1) > 1) OR (#0 = 1)
  Source a

SELECT k FROM a WHERE NOT (v = NULL);
[plan]>
Project (#0)
  Filter NOT(#1 = null)
    Get materialize.public.a
[opt]>
Constant <empty>
[flow]>
Constant <empty>

-- fold: a conversion that is not one to one, or a literal that no value becomes, is compared as it is.
SELECT k FROM a WHERE v::real = 16777217 AND w = 1.5;
[plan]>
Project (#0)
  Filter (#1::real = 16777217::double precision) AND (#2::numeric = 1.5)
    Get materialize.public.a
[opt]>
Project (#0)
  Filter (#1::real = 16777217.0) AND (#2::numeric = 1.5)
    Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep #1::real = 16777217.0
  keep #2::numeric = 1.5
  Source a

-- fuse: a filter is not empty because of what stands behind a test that fails; rows that differ by an error are no union.
SELECT k FROM a WHERE 1 / v = 1 AND false;
[plan]>
Project (#0)
  Filter ((1 / #1) = 1) AND false
    Get materialize.public.a
[opt]>
Project (#0)
  Filter ((1 / #1) = 1) AND false
    Project (#0, #1)
      Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep (1 / #1) = 1
  keep false
  Source a

SELECT k FROM a EXCEPT ALL SELECT k FROM a WHERE w > 0;
[plan]>
Threshold
  Union
    Project (#0)
      Get materialize.public.a
    Negate
      Project (#0)
        Filter (#2 > 0)
          Get materialize.public.a
[opt]>
Threshold
  Union
    Project (#0)
      Get materialize.public.a
    Negate
      Project (#0)
        Filter (#1 > 0)
          Project (#0, #2)
            Get materialize.public.a
[flow]>
Threshold
  Union
    Mfp project=(#0)
      Source a
    Negate
      Mfp project=(#0)
        keep #2 > 0
        Source a

SELECT DISTINCT x FROM one;
[plan]>
Distinct
  Project (#1)
    Get materialize.public.one
[opt]>
Distinct
  Project (#1)
    Get materialize.public.one
[flow]>
Distinct
  Mfp project=(#1)
    Source one

-- joins: an input that another implies goes only by a key of it that is not NULL, and once.
SELECT x.k FROM a x JOIN a y ON x.k = y.k AND x.w = y.w;
[plan]>
Project (#0)
  Filter (#0 = #3) AND (#2 = #5)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.a
[opt]>
Project (#0)
  Join on=(#0 = #2 AND #1 = #3)
    Filter (#0 IS NOT NULL)
      Project (#0, #2)
        Get materialize.public.a
    Filter (#0 IS NOT NULL)
      Project (#0, #2)
        Get materialize.public.a
[flow]>
DeltaJoin project=(#0)
  %0 » %1[#0 not null, #2]
  %1 » %0[#0 not null, #2]
  Source a
  Source a

SELECT x.v FROM a x JOIN one y ON x.k = y.k;
[plan]>
Project (#1)
  Filter (#0 = #3)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.one
[opt]>
Project (#1)
  Join on=(#0 = #2)
    Filter (#0 IS NOT NULL)
      Project (#0, #1)
        Get materialize.public.a
    Project (#0)
      Get materialize.public.one
[flow]>
DeltaJoin project=(#1)
  %0 » %1[#0 not null]
  %1 » %0[#0 not null]
  Source a
  Mfp project=(#0)
    Source one

SELECT x.k FROM one x JOIN one y ON x.x = y.x;
[plan]>
Project (#0)
  Filter (#1 = #3)
    CrossJoin
      Get materialize.public.one
      Get materialize.public.one
[opt]>
Project (#0)
  Join on=(#1 = #2)
    Filter (#1 IS NOT NULL)
      Get materialize.public.one
    Filter (#0 IS NOT NULL)
      Project (#1)
        Get materialize.public.one
[flow]>
DeltaJoin project=(#0)
  %0 » %1[#0]
  %1 » %0[#1]
  Mfp project=(#0, #1)
    keep #1 IS NOT NULL
    Source one
  Mfp project=(#1)
    keep #1 IS NOT NULL
    Source one

-- pushdown: what can fail stays above joins, table functions, differences and limits; what is by chance above groups.
SELECT a.k FROM a JOIN b ON a.k = b.k WHERE 1 / a.v > 0;
[plan]>
Project (#0)
  Filter ((1 / #1) > 0)
    Filter (#0 = #3)
      CrossJoin
        Get materialize.public.a
        Get materialize.public.b
[opt]>
Project (#0)
  Filter ((1 / #1) > 0)
    Project (#0, #1)
      Join on=(#0 = #2)
        Filter (#0 IS NOT NULL)
          Project (#0, #1)
            Get materialize.public.a
        Project (#0)
          Get materialize.public.b
[flow]>
Mfp project=(#0)
  keep (1 / #1) > 0
  DeltaJoin project=(#0, #1)
    %0 » %1[#0 not null]
    %1 » %0[#0 not null]
    Source a
    Source b

SELECT a.k FROM a LEFT JOIN b ON a.k = b.k AND 1 / a.v > 0;
[plan]>
Project (#0)
  With
    cte l0 =
      Filter (#0 = #3) AND ((1 / #1) > 0)
        CrossJoin
          Get materialize.public.a
          Get materialize.public.b
  Return
    Union
      Get l0
      Map (null, null)
        Union
          Get materialize.public.a
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3 AND #1 = #4)
                Get materialize.public.a
                Distinct
                  Project (#0, #1)
                    Get l0
[opt]>
With
  cte l0 =
    Filter ((1 / #1) > 0)
      Project (#0, #1)
        Join on=(#0 = #2)
          Filter (#0 IS NOT NULL)
            Project (#0, #1)
              Get materialize.public.a
          Project (#0)
            Get materialize.public.b
Return
  Union
    Project (#0)
      Get l0
    Project (#0)
      Get materialize.public.a
    Negate
      Project (#0)
        Join on=(#0 = #2 AND #1 = #3)
          Project (#0, #1)
            Get materialize.public.a
          Distinct
            Get l0
[flow]>
With
  cte l0 =
    DeltaJoin project=(#0, #1)
      %0 » %1[#0 not null]
      %1 » %0[#0 not null]
      Source a
      Source b
Return
  Union
    Mfp project=(#0)
      keep (1 / #1) > 0
      Get l0
    Mfp project=(#0)
      Source a
    Negate
      DeltaJoin project=(#0)
        %0 » %1[#0, #1]
        %1 » %0[#0, #1]
        Source a
        Distinct
          Mfp project=(#0, #1)
            keep (1 / #1) > 0
            Get l0

SELECT a.k FROM a LEFT JOIN b ON a.k = b.k WHERE b.x IS NULL;
[plan]>
Project (#0)
  Filter (#4 IS NULL)
    Union
      Filter (#0 = #3)
        CrossJoin
          Get materialize.public.a
          Get materialize.public.b
      Map (null, null)
        Union
          Get materialize.public.a
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3)
                Get materialize.public.a
                Distinct
                  Project (#0)
                    Get materialize.public.b
[opt]>
Union
  Project (#0)
    Join on=(#0 = #1)
      Filter (#0 IS NOT NULL)
        Project (#0)
          Get materialize.public.a
      Project (#0)
        Filter (#1 IS NULL)
          Get materialize.public.b
  Project (#0)
    Get materialize.public.a
  Negate
    Project (#0)
      Join on=(#0 = #1)
        Project (#0)
          Get materialize.public.a
        Distinct
          Project (#0)
            Get materialize.public.b
[flow]>
Union
  DeltaJoin project=(#0)
    %0 » %1[#0 not null]
    %1 » %0[#0 not null]
    Source a
    Mfp project=(#0)
      keep #1 IS NULL
      Source b
  Mfp project=(#0)
    Source a
  Negate
    DeltaJoin project=(#0)
      %0 » %1[#0]
      %1 » %0[#0]
      Source a
      Distinct
        Mfp project=(#0)
          Source b

SELECT k, g FROM a, generate_series(1, v) AS g WHERE 1 / w > 0;
[plan]>
Project (#0, #3)
  Filter ((1 / #2) > 0)
    FlatMap generate_series(1, #1)
      Get materialize.public.a
[opt]>
Project (#0, #2)
  Filter ((1 / #1) > 0)
    Project (#0, #2, #3)
      FlatMap generate_series(1, #1)
        Get materialize.public.a
[flow]>
Mfp project=(#0, #3)
  keep (1 / #2) > 0
  FlatMap generate_series(1, #1)
    Source a

SELECT k FROM (SELECT k, v FROM a EXCEPT SELECT k, x FROM b) AS d WHERE 1 / v > 0;
[plan]>
Project (#0)
  Filter ((1 / #1) > 0)
    Threshold
      Union
        Distinct
          Project (#0, #1)
            Get materialize.public.a
        Negate
          Distinct
            Get materialize.public.b
[opt]>
Project (#0)
  Filter ((1 / #1) > 0)
    Threshold
      Union
        Distinct
          Project (#0, #1)
            Get materialize.public.a
        Negate
          Distinct
            Get materialize.public.b
[flow]>
Mfp project=(#0)
  keep (1 / #1) > 0
  Threshold
    Union
      Distinct
        Mfp project=(#0, #1)
          Source a
      Negate
        Distinct
          Source b

SELECT * FROM (SELECT k, v FROM a ORDER BY w LIMIT 3) AS f WHERE v = 1;
[plan]>
Filter (#1 = 1)
  Project (#0, #1)
    TopK order_by=[#2 asc nulls_last] limit=3
      Get materialize.public.a
[opt]>
Filter (#1 = 1)
  Project (#0, #1)
    TopK order_by=[#2 asc nulls_last] limit=3
      Get materialize.public.a
[flow]>
Mfp project=(#0, #1)
  keep #1 = 1
  TopK order_by=[#2 asc nulls_last] limit=3
    Source a

SELECT k, n FROM (SELECT k, count(*) AS n FROM a GROUP BY k) AS g WHERE random() < 0.5;
[plan]>
Filter (random() < 0.5::double precision)
  Reduce group_by=[#0] aggregates=[count(*)]
    Get materialize.public.a
[opt]>
Filter (random() < 0.5)
  Reduce group_by=[#0] aggregates=[count(*)]
    Project (#0)
      Get materialize.public.a
[flow]>
Mfp project=(#0, #1)
  keep random() < 0.5
  Reduce key=(#0) aggregates=[count(*)]
    Mfp project=(#0)
      Source a

SELECT n FROM (SELECT count(*) AS n FROM a) AS g WHERE 1 = (SELECT count(*) FROM b);
[plan]>
Project (#0)
  Filter (1 = #1)
    CrossJoin
      Reduce scalar aggregates=[count(*)]
        Get materialize.public.a
      Reduce scalar aggregates=[count(*)]
        Get materialize.public.b
[opt]>
CrossJoin
  Reduce scalar aggregates=[count(*)]
    Project ()
      Get materialize.public.a
  Project ()
    Filter (1 = #0)
      Reduce scalar aggregates=[count(*)]
        Project ()
          Get materialize.public.b
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[count(*)]
      Mfp project=()
        Source a
  cte l1 =
    Reduce key=() aggregates=[count(*)]
      Mfp project=()
        Source b
Return
  DeltaJoin project=(#0)
    %0 » %1[]×
    %1 » %0[]×
    Union
      Get l0
      Mfp project=(#0)
        compute 0
        Union
          Constant
            - ()
          Negate
            Mfp project=()
              Get l0
    Mfp project=()
      keep 1 = #0
      Union
        Get l1
        Mfp project=(#0)
          compute 0
          Union
            Constant
              - ()
            Negate
              Mfp project=()
                Get l1

SELECT k, s FROM (SELECT k, w, sum(v) OVER (PARTITION BY k) AS s FROM a) AS d WHERE w = 1;
[plan]>
Project (#0, #2)
  Filter (#1 = 1)
    Project (#0, #2, #3)
      Window partition_by=[#0] calls=[sum(#1)]
        Get materialize.public.a
[opt]>
Project (#0, #2)
  Filter (#1 = 1)
    Project (#0, #2, #3)
      Window partition_by=[#0] calls=[sum(#1)]
        Get materialize.public.a
[flow]>
Mfp project=(#0, #3)
  keep #2 = 1
  DeltaJoin project=(#0, #1, #2, #4)
    %0 » %1[#0]
    %1 » %0[#0]
    Source a
    Reduce key=(#0) aggregates=[sum(#1)]
      Source a

-- fallible_keys: an equality that fails on one side is no key where the other side has no row.
SELECT a.k FROM a JOIN b ON 1 / a.v = b.x AND b.k = 7;
[plan]>
Project (#0)
  Filter ((1 / #1) = #4) AND (#3 = 7)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.b
[opt]>
Union
  Project (#0)
    Join on=(#1 = #2)
      Filter (#1 IS NOT NULL)
        Project (#0, #3)
          Map (case when fails(1 / #1) then null else 1 / #1 end)
            Get materialize.public.a
      Project (#1)
        Filter (#0 = 7) AND (#1 IS NOT NULL)
          Get materialize.public.b
  Project (#0)
    Filter ((1 / #1) IS NULL) AND false
      CrossJoin
        Filter fails(1 / #1)
          Project (#0, #1)
            Get materialize.public.a
        Distinct
          Project ()
            Filter (#0 = 7)
              Project (#0)
                Get materialize.public.b
[flow]>
Union
  DeltaJoin project=(#0)
    %0 » %1[#0]
    %1 » %0[#1]
    Mfp project=(#0, #3)
      compute case when fails(1 / #1) then null else 1 / #1 end
      keep #3 IS NOT NULL
      Source a
    Mfp project=(#1)
      keep #0 = 7
      keep #1 IS NOT NULL
      Source b
  Mfp project=(#0)
    keep (1 / #1) IS NULL
    keep false
    DeltaJoin project=(#0, #1)
      %0 » %1[]×
      %1 » %0[]×
      Mfp project=(#0, #1)
        keep fails(1 / #1)
        Source a
      Distinct
        Mfp project=()
          keep #0 = 7
          Source b

-- eager: bins that do not fit the windows count nothing.
SELECT date_bin_hopping, count(DISTINCT k) FROM (SELECT k, generate_series AS date_bin_hopping FROM a, generate_series(1, 2)) AS d GROUP BY date_bin_hopping;
[plan]>
Reduce group_by=[#1] aggregates=[count(distinct #0)]
  Project (#0, #3)
    FlatMap generate_series(1, 2)
      Get materialize.public.a
[opt]>
Reduce group_by=[#1] aggregates=[count(distinct #0)]
  FlatMap generate_series(1, 2)
    Project (#0)
      Get materialize.public.a
[flow]>
Reduce key=(#0) aggregates=[count(#1)]
  Mfp project=(#1, #0)
    Distinct
      FlatMap generate_series(1, 2)
        Mfp project=(#0)
          Source a

-- reductions: not where a row of one side may meet several of the other and is counted each time, or a filter is between.
SELECT a.k, sum(b.x), count(*) FROM a JOIN b ON a.k = b.k GROUP BY a.k;
[plan]>
Reduce group_by=[#0] aggregates=[sum(#4), count(*)]
  Filter (#0 = #3)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.b
[opt]>
Reduce group_by=[#0] aggregates=[sum(#1), count(*)]
  Project (#0, #2)
    Join on=(#0 = #1)
      Filter (#0 IS NOT NULL)
        Project (#0)
          Get materialize.public.a
      Get materialize.public.b
[flow]>
Reduce key=(#0) aggregates=[sum(#1), count(*)]
  DeltaJoin project=(#0, #4)
    %0 » %1[#0 not null]
    %1 » %0[#0 not null]
    Source a
    Source b

SELECT a.k, string_agg(b.x::text, ',' ORDER BY a.v) FROM a JOIN b ON a.k = b.k GROUP BY a.k;
[plan]>
Reduce group_by=[#0] aggregates=[string_agg(#4::text, "," order_by=#1 asc nulls_last)]
  Filter (#0 = #3)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.b
[opt]>
Reduce group_by=[#0] aggregates=[string_agg(#2::text, "," order_by=#1 asc nulls_last)]
  Project (#0, #1, #3)
    Join on=(#0 = #2)
      Filter (#0 IS NOT NULL)
        Project (#0, #1)
          Get materialize.public.a
      Get materialize.public.b
[flow]>
Reduce key=(#0) aggregates=[string_agg(#2, #3)]
  Mfp project=(#0, #1, #3, #4)
    compute #2::text
    compute ","
    DeltaJoin project=(#0, #1, #4)
      %0 » %1[#0 not null]
      %1 » %0[#0 not null]
      Source a
      Source b

SELECT a.k, max(b.x) FROM a JOIN b ON a.k = b.k AND a.v < b.x GROUP BY a.k;
[plan]>
Reduce group_by=[#0] aggregates=[max(#4)]
  Filter (#0 = #3) AND (#1 < #4)
    CrossJoin
      Get materialize.public.a
      Get materialize.public.b
[opt]>
Reduce group_by=[#0] aggregates=[max(#1)]
  Project (#0, #2)
    Filter (#1 < #2)
      Project (#0, #1, #3)
        Join on=(#0 = #2)
          Filter (#0 IS NOT NULL)
            Project (#0, #1)
              Get materialize.public.a
          Get materialize.public.b
[flow]>
Reduce key=(#0) aggregates=[max(#1)]
  Mfp project=(#0, #2)
    keep #1 < #2
    DeltaJoin project=(#0, #1, #4)
      %0 » %1[#0 not null]
      %1 » %0[#0 not null]
      Source a
      Source b

-- demand: what fails and is not read is not evaluated; DISTINCT and differences read every column.
SELECT k FROM (SELECT k, 1 / v AS q FROM a) AS d;
[plan]>
Project (#0)
  Project (#0, #3)
    Map (1 / #1)
      Get materialize.public.a
[opt]>
Project (#0)
  Get materialize.public.a
[flow]>
Mfp project=(#0)
  Source a

SELECT count(*) FROM (SELECT DISTINCT k, v FROM a) AS d;
[plan]>
Reduce scalar aggregates=[count(*)]
  Distinct
    Project (#0, #1)
      Get materialize.public.a
[opt]>
Reduce scalar aggregates=[count(*)]
  Project ()
    Distinct
      Project (#0, #1)
        Get materialize.public.a
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[count(*)]
      Mfp project=()
        Distinct
          Mfp project=(#0, #1)
            Source a
Return
  Union
    Get l0
    Mfp project=(#0)
      compute 0
      Union
        Constant
          - ()
        Negate
          Mfp project=()
            Get l0

SELECT k FROM (SELECT k, v FROM a EXCEPT SELECT k, x FROM b) AS d;
[plan]>
Project (#0)
  Threshold
    Union
      Distinct
        Project (#0, #1)
          Get materialize.public.a
      Negate
        Distinct
          Get materialize.public.b
[opt]>
Project (#0)
  Threshold
    Union
      Distinct
        Project (#0, #1)
          Get materialize.public.a
      Negate
        Distinct
          Get materialize.public.b
[flow]>
Mfp project=(#0)
  Threshold
    Union
      Distinct
        Mfp project=(#0, #1)
          Source a
      Negate
        Distinct
          Source b

-- outer_joins: a side with NULLs, several matches, or a test that a NULL passes, is needed.
SELECT a.k FROM a LEFT JOIN b ON a.k = b.k;
[plan]>
Project (#0)
  Union
    Filter (#0 = #3)
      CrossJoin
        Get materialize.public.a
        Get materialize.public.b
    Map (null, null)
      Union
        Get materialize.public.a
        Negate
          Project (#0, #1, #2)
            Join on=(#0 = #3)
              Get materialize.public.a
              Distinct
                Project (#0)
                  Get materialize.public.b
[opt]>
Union
  Project (#0)
    Join on=(#0 = #1)
      Filter (#0 IS NOT NULL)
        Project (#0)
          Get materialize.public.a
      Project (#0)
        Get materialize.public.b
  Project (#0)
    Get materialize.public.a
  Negate
    Project (#0)
      Join on=(#0 = #1)
        Project (#0)
          Get materialize.public.a
        Distinct
          Project (#0)
            Get materialize.public.b
[flow]>
Union
  DeltaJoin project=(#0)
    %0 » %1[#0 not null]
    %1 » %0[#0 not null]
    Source a
    Source b
  Mfp project=(#0)
    Source a
  Negate
    DeltaJoin project=(#0)
      %0 » %1[#0]
      %1 » %0[#0]
      Source a
      Distinct
        Mfp project=(#0)
          Source b

SELECT a.k FROM a LEFT JOIN b ON a.k = b.k WHERE coalesce(b.x, 0) = 0;
[plan]>
Project (#0)
  Filter (coalesce(#4, 0) = 0)
    Union
      Filter (#0 = #3)
        CrossJoin
          Get materialize.public.a
          Get materialize.public.b
      Map (null, null)
        Union
          Get materialize.public.a
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3)
                Get materialize.public.a
                Distinct
                  Project (#0)
                    Get materialize.public.b
[opt]>
Union
  Project (#0)
    Join on=(#0 = #1)
      Filter (#0 IS NOT NULL)
        Project (#0)
          Get materialize.public.a
      Project (#0)
        Filter (coalesce(#1, 0) = 0)
          Get materialize.public.b
  Project (#0)
    Get materialize.public.a
  Negate
    Project (#0)
      Join on=(#0 = #1)
        Project (#0)
          Get materialize.public.a
        Distinct
          Project (#0)
            Get materialize.public.b
[flow]>
Union
  DeltaJoin project=(#0)
    %0 » %1[#0 not null]
    %1 » %0[#0 not null]
    Source a
    Mfp project=(#0)
      keep coalesce(#1, 0) = 0
      Source b
  Mfp project=(#0)
    Source a
  Negate
    DeltaJoin project=(#0)
      %0 » %1[#0]
      %1 » %0[#0]
      Source a
      Distinct
        Mfp project=(#0)
          Source b

SELECT a.k FROM a LEFT JOIN b ON a.k = b.k WHERE b.x = 1 OR a.v = 1;
[plan]>
Project (#0)
  Filter ((#4 = 1) OR (#1 = 1))
    Union
      Filter (#0 = #3)
        CrossJoin
          Get materialize.public.a
          Get materialize.public.b
      Map (null, null)
        Union
          Get materialize.public.a
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3)
                Get materialize.public.a
                Distinct
                  Project (#0)
                    Get materialize.public.b
[opt]>
Union
  Project (#0)
    Filter ((#2 = 1) OR (#1 = 1))
      Project (#0, #1, #3)
        Join on=(#0 = #2)
          Filter (#0 IS NOT NULL)
            Project (#0, #1)
              Get materialize.public.a
          Get materialize.public.b
  Project (#0)
    Filter (null OR (#1 = 1))
      Project (#0, #1)
        Get materialize.public.a
  Negate
    Project (#0)
      Join on=(#0 = #1)
        Project (#0)
          Filter (null OR (#1 = 1))
            Project (#0, #1)
              Get materialize.public.a
        Distinct
          Project (#0)
            Get materialize.public.b
[flow]>
With
  cte l0 =
    Mfp project=(#0)
      keep null OR (#1 = 1)
      Source a
Return
  Union
    Mfp project=(#0)
      keep (#2 = 1) OR (#1 = 1)
      DeltaJoin project=(#0, #1, #4)
        %0 » %1[#0 not null]
        %1 » %0[#0 not null]
        Source a
        Source b
    Get l0
    Negate
      DeltaJoin project=(#0)
        %0 » %1[#0]
        %1 » %0[#0]
        Get l0
        Distinct
          Mfp project=(#0)
            Source b

SELECT a.k FROM a LEFT JOIN one ON a.k = one.k;
[plan]>
Project (#0)
  Union
    Filter (#0 = #3)
      CrossJoin
        Get materialize.public.a
        Get materialize.public.one
    Map (null, null)
      Union
        Get materialize.public.a
        Negate
          Project (#0, #1, #2)
            Join on=(#0 = #3)
              Get materialize.public.a
              Distinct
                Project (#0)
                  Get materialize.public.one
[opt]>
Project (#0)
  Get materialize.public.a
[flow]>
Mfp project=(#0)
  Source a

-- row_lists: fewer rows than a join is worth are compared one by one.
SELECT k FROM a WHERE (k, v) IN ((1, 2), (3, NULL));
[plan]>
Project (#0)
  Filter (((#0 = 1) AND (#1 = 2)) OR ((#0 = 3) AND (#1 = null)))
    Get materialize.public.a
[opt]>
Project (#0)
  Filter (((#0 = 1) AND (#1 = 2)) OR ((#0 = 3) AND null))
    Project (#0, #1)
      Get materialize.public.a
[flow]>
Mfp project=(#0)
  keep ((#0 = 1) AND (#1 = 2)) OR ((#0 = 3) AND null)
  Source a

-- EXISTS evaluates no column of its rows; a subquery that has two rows fails where it is asked.
SELECT k FROM a WHERE EXISTS (SELECT 1 / x FROM b WHERE b.k = a.k);
[plan]>
Project (#0)
  Project (#0, #1, #2)
    Join on=(#0 = #3)
      Get materialize.public.a
      Distinct
        Project (#0)
          Get materialize.public.b
[opt]>
Project (#0)
  Join on=(#0 = #1)
    Project (#0)
      Get materialize.public.a
    Distinct
      Project (#0)
        Get materialize.public.b
[flow]>
DeltaJoin project=(#0)
  %0 » %1[#0]
  %1 » %0[#0]
  Source a
  Distinct
    Mfp project=(#0)
      Source b

SELECT k FROM a WHERE w > 0 AND v = (SELECT x FROM b WHERE b.k = a.k);
[plan]>
Project (#0)
  With
    cte l0 =
      Filter (#2 > 0)
        Get materialize.public.a
    cte l1 =
      Distinct
        Project (#0)
          Get l0
    cte l2 =
      Project (#0, #2)
        Filter (#1 = #0)
          CrossJoin
            Get l1
            Get materialize.public.b
  Return
    Project (#0, #1, #2)
      Filter (#1 = #3)
        Project (#0, #1, #2, #4)
          Join on=(#0 = #3)
            Get l0
            Union
              Get l2
              Map (null)
                Project (#0)
                  Filter error_if_many(#1)
                    Reduce group_by=[#0] aggregates=[count(*)]
                      Get l2
              Map (null)
                Union
                  Get l1
                  Negate
                    Distinct
                      Project (#0)
                        Get l2
[opt]>
With
  cte l2 =
    Project (#0, #2)
      Join on=(#1 = #0)
        Distinct
          Project (#0)
            Filter (#1 > 0) AND (#0 IS NOT NULL)
              Project (#0, #2)
                Get materialize.public.a
        Get materialize.public.b
Return
  Project (#0)
    Join on=(#0 = #2 AND #1 = #3)
      Project (#0, #1)
        Filter (#2 > 0) AND (#1 IS NOT NULL)
          Get materialize.public.a
      Union
        Filter (#1 IS NOT NULL)
          Get l2
        Project (#0, #2)
          Map (null)
            Filter error_if_many(#1) AND false
              Reduce group_by=[#0] aggregates=[count(*)]
                Project (#0)
                  Get l2
[flow]>
With
  cte l0 =
    DeltaJoin project=(#0, #2)
      %0 » %1[#0]
      %1 » %0[#0]
      Distinct
        Mfp project=(#0)
          keep #2 > 0
          keep #0 IS NOT NULL
          Source a
      Source b
Return
  DeltaJoin project=(#0)
    %0 » %1[#0, #1]
    %1 » %0[#0, #1]
    Mfp project=(#0, #1)
      keep #2 > 0
      keep #1 IS NOT NULL
      Source a
    Union
      Mfp project=(#0, #1)
        keep #1 IS NOT NULL
        Get l0
      Mfp project=(#0, #2)
        keep error_if_many(#1)
        keep false
        compute null
        Reduce key=(#0) aggregates=[count(*)]
          Mfp project=(#0)
            Get l0

-- array_queries: an array that has an element where the query has none; arrays of arrays, which ANY looks into; fewer elements.
SELECT v FROM a WHERE k = ANY (coalesce((SELECT array_agg(x) FROM b), ARRAY[7]));
[plan]>
Project (#1)
  Project (#0, #1, #2)
    Filter = any(#0, coalesce(#3, array(7)))
      CrossJoin
        Get materialize.public.a
        Reduce scalar aggregates=[array_agg(#1)]
          Get materialize.public.b
[opt]>
Project (#1)
  Filter = any(#0, coalesce(#2, \x018000000000000007000100000001))
    CrossJoin
      Project (#0, #1)
        Get materialize.public.a
      Reduce scalar aggregates=[array_agg(#0)]
        Project (#1)
          Get materialize.public.b
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[array_agg(#0)]
      Mfp project=(#1)
        Source b
Return
  Mfp project=(#1)
    keep = any(#0, coalesce(#2, \x018000000000000007000100000001))
    DeltaJoin project=(#0, #1, #3)
      %0 » %1[]×
      %1 » %0[]×
      Source a
      Union
        Get l0
        Mfp project=(#0)
          compute null
          Union
            Constant
              - ()
            Negate
              Mfp project=()
                Get l0

SELECT v FROM a WHERE k = ANY (ARRAY(SELECT ARRAY[x, k] FROM b));
[plan]>
Project (#1)
  Project (#0, #1, #2)
    Filter = any(#0, coalesce(#3, \x0000))
      CrossJoin
        Get materialize.public.a
        Reduce scalar aggregates=[array_agg(#0)]
          Project (#2)
            Map (array(#1, #0))
              Get materialize.public.b
[opt]>
Project (#1)
  Filter = any(#0, coalesce(#2, \x0000))
    CrossJoin
      Project (#0, #1)
        Get materialize.public.a
      Reduce scalar aggregates=[array_agg(#0)]
        Project (#2)
          Map (array(#1, #0))
            Get materialize.public.b
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[array_agg(#0)] recomputes=touched groups
      Mfp project=(#2)
        compute array(#1, #0)
        Source b
Return
  Mfp project=(#1)
    keep = any(#0, coalesce(#2, \x0000))
    DeltaJoin project=(#0, #1, #3)
      %0 » %1[]×
      %1 » %0[]×
      Source a
      Union
        Get l0
        Mfp project=(#0)
          compute null
          Union
            Constant
              - ()
            Negate
              Mfp project=()
                Get l0

SELECT v FROM a WHERE k = ANY (coalesce((SELECT array_agg(x) FILTER (WHERE x > 1) FROM b), '{}'));
[plan]>
Project (#1)
  Project (#0, #1, #2)
    Filter = any(#0, coalesce(#3, \x0000))
      CrossJoin
        Get materialize.public.a
        Reduce scalar aggregates=[array_agg(#1) filter=#1 > 1]
          Get materialize.public.b
[opt]>
Project (#1)
  Filter = any(#0, coalesce(#2, \x0000))
    CrossJoin
      Project (#0, #1)
        Get materialize.public.a
      Reduce scalar aggregates=[array_agg(#0) filter=#0 > 1]
        Project (#1)
          Get materialize.public.b
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[array_agg(#0)]
      Mfp project=(#1)
        compute #1 > 1
        keep #2
        Source b
  cte l1 =
    Mfp project=(#0)
      compute null
      Union
        Distinct
          Mfp project=()
            Source b
        Negate
          Mfp project=()
            Get l0
Return
  Mfp project=(#1)
    keep = any(#0, coalesce(#2, \x0000))
    DeltaJoin project=(#0, #1, #3)
      %0 » %1[]×
      %1 » %0[]×
      Source a
      Union
        Get l0
        Get l1
        Mfp project=(#0)
          compute null
          Union
            Constant
              - ()
            Negate
              Mfp project=()
                Union
                  Get l0
                  Get l1
