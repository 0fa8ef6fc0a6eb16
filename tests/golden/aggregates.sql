CREATE TABLE t (k text, v int, w bigint NOT NULL);

-- FILTER becomes a CASE, the arguments a Map.
SELECT k, count(*), sum(v + 1) FILTER (WHERE w > 3) FROM t GROUP BY k;
[plan]>
Reduce group_by=[#0] aggregates=[count(*), sum(#1 + 1) filter=#2 > 3]
  Get materialize.public.t
[opt]>
Reduce group_by=[#0] aggregates=[count(*), sum(#1 + 1) filter=#2 > 3]
  Get materialize.public.t
[flow]>
Reduce key=(#0) aggregates=[count(*), sum(#1)]
  Mfp project=(#0, #3)
    compute case when #2 > 3 then #1 + 1 else null end
    Source t

-- DISTINCT is set apart and joined on the key.
SELECT k, count(DISTINCT v), sum(w) FROM t GROUP BY k;
[plan]>
Reduce group_by=[#0] aggregates=[count(distinct #1), sum(#2)]
  Get materialize.public.t
[opt]>
Reduce group_by=[#0] aggregates=[count(distinct #1), sum(#2)]
  Get materialize.public.t
[flow]>
DeltaJoin project=(#0, #3, #1)
  %0 » %1[#0]
  %1 » %0[#0]
  Reduce key=(#0) aggregates=[sum(#1)]
    Mfp project=(#0, #2)
      Source t
  Reduce key=(#0) aggregates=[count(#1)]
    Distinct
      Mfp project=(#0, #1)
        Source t

-- Without GROUP BY there is always a row.
SELECT count(*), max(v) FROM t;
[plan]>
Reduce scalar aggregates=[count(*), max(#1)]
  Get materialize.public.t
[opt]>
Reduce scalar aggregates=[count(*), max(#0)]
  Project (#1)
    Get materialize.public.t
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[count(*), max(#0)]
      Mfp project=(#1)
        Source t
Return
  Union
    Get l0
    Mfp project=(#0, #1)
      compute 0
      compute null
      Union
        Constant
          - ()
        Negate
          Mfp project=()
            Get l0

-- HAVING on the key goes below the aggregation.
SELECT k, max(v) FROM t GROUP BY k HAVING k = 'x';
[plan]>
Filter (#0 = "x")
  Reduce group_by=[#0] aggregates=[max(#1)]
    Get materialize.public.t
[opt]>
Reduce group_by=[#0] aggregates=[max(#1)]
  Filter (#0 = "x")
    Project (#0, #1)
      Get materialize.public.t
[flow]>
Reduce key=(#0) aggregates=[max(#1)]
  Mfp project=(#0, #1)
    keep #0 = "x"
    Source t

-- The top 2 of a group is a TopK.
SELECT k, v FROM (SELECT DISTINCT k FROM t) g, LATERAL (SELECT v FROM t WHERE t.k = g.k ORDER BY v DESC LIMIT 2) top;
[plan]>
With
  cte l0 =
    Distinct
      Project (#0)
        Get materialize.public.t
  cte l1 =
    Distinct
      Project (#0)
        Get l0
Return
  Filter true
    Project (#0, #2)
      Join on=(#0 = #1)
        Get l0
        TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=2
          Project (#0, #2)
            Filter (#1 = #0)
              CrossJoin
                Get l1
                Get materialize.public.t
[opt]>
With
  cte l0 =
    Distinct
      Project (#0)
        Get materialize.public.t
Return
  Project (#0, #2)
    Join on=(#0 = #1)
      Get l0
      TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=2
        Project (#0, #2)
          Join on=(#1 = #0)
            Filter (#0 IS NOT NULL)
              Get l0
            Filter (#0 IS NOT NULL)
              Project (#0, #1)
                Get materialize.public.t
[flow]>
With
  cte l0 =
    Distinct
      Mfp project=(#0)
        Source t
Return
  DeltaJoin project=(#0, #2)
    %0 » %1[#0]
    %1 » %0[#0]
    Get l0
    TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=2
      DeltaJoin project=(#0, #2)
        %0 » %1[#0 not null]
        %1 » %0[#0 not null]
        Mfp project=(#0)
          keep #0 IS NOT NULL
          Get l0
        Source t

SELECT DISTINCT k FROM (SELECT k FROM t UNION SELECT 'x') u EXCEPT ALL SELECT k FROM t WHERE v IS NULL;
[plan]>
Threshold
  Union
    Distinct
      Distinct
        Union
          Project (#0)
            Get materialize.public.t
          Map ("x")
            Constant
              - ()
    Negate
      Project (#0)
        Filter (#1 IS NULL)
          Get materialize.public.t
[opt]>
Threshold
  Union
    Distinct
      Union
        Project (#0)
          Get materialize.public.t
        Constant
          - ("x")
    Negate
      Project (#0)
        Filter (#1 IS NULL)
          Project (#0, #1)
            Get materialize.public.t
[flow]>
Threshold
  Union
    Distinct
      Union
        Mfp project=(#0)
          Source t
        Constant
          - ("x")
    Negate
      Mfp project=(#0)
        keep #1 IS NULL
        Source t
