CREATE TABLE t (k text, v int, w bigint NOT NULL);

-- Arguments are computed below; calls that share a window share a node.
SELECT k, sum(v + 1) OVER (PARTITION BY k ORDER BY w), lag(v) OVER (PARTITION BY k ORDER BY w) FROM t;
[plan]>
Project (#0, #6, #7)
  Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[sum(#3), lag(#1, #4, #5)]
    Map (null)
      Map (1)
        Map (#1 + 1)
          Get materialize.public.t
[opt]>
Project (#0, #6, #7)
  Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[sum(#3), lag(#1, #4, #5)]
    Map (#1 + 1, 1, null)
      Get materialize.public.t
[flow]>
Mfp project=(#0, #6, #7)
  Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[sum(#3), lag(#1, #4, #5)] recomputes=rows behind a change
    Mfp project=(#0, #1, #2, #3, #4, #5)
      compute #1 + 1
      compute 1
      compute null
      Source t

-- A row number with a limit is a TopK; the window sees no more than its rows.
SELECT k, w FROM (SELECT k, w, row_number() OVER (PARTITION BY k ORDER BY w DESC) AS n FROM t) s WHERE n <= 3;
[plan]>
Project (#0, #1)
  Filter (#2 <= 3)
    Project (#0, #2, #3)
      Window partition_by=[#0] order_by=[#2 desc nulls_first] calls=[row_number()]
        Get materialize.public.t
[opt]>
TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=3
  Project (#0, #2)
    Get materialize.public.t
[flow]>
TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=3
  Mfp project=(#0, #2)
    Source t

-- A predicate on partition columns goes below; one on others stays. Calls that nobody reads go.
SELECT k, n FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY v) AS n, count(*) OVER () AS m FROM t) s WHERE k = 'a' AND v = 1;
[plan]>
Project (#0, #3)
  Filter (#0 = "a") AND (#1 = 1)
    Window calls=[count(*)]
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[opt]>
Project (#0, #2)
  Filter (#1 = 1)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
      Filter (#0 = "a")
        Project (#0, #1)
          Get materialize.public.t
[flow]>
Mfp project=(#0, #2)
  keep #1 = 1
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
    Mfp project=(#0, #1)
      keep #0 = "a"
      Source t

-- A correlated window is computed for each outer value apart.
SELECT k, (SELECT max(n) FROM (SELECT rank() OVER (ORDER BY u.v) AS n FROM t u WHERE u.k = t.k) s) FROM t;
[plan]>
Project (#0, #3)
  With
    cte l0 =
      Distinct
        Project (#0)
          Get materialize.public.t
  Return
    Project (#0, #1, #2, #4)
      Map (#3)
        Project (#0, #1, #2, #4)
          Join on=(#0 = #3)
            Get materialize.public.t
            With
              cte l1 =
                Reduce group_by=[#0] aggregates=[max(#1)]
                  Project (#0, #4)
                    Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[rank()]
                      Filter (#1 = #0)
                        CrossJoin
                          Get l0
                          Get materialize.public.t
            Return
              Union
                Get l1
                Map (null)
                  Union
                    Get l0
                    Negate
                      Project (#0)
                        Get l1
[opt]>
With
  cte l0 =
    Distinct
      Project (#0)
        Get materialize.public.t
Return
  Project (#0, #2)
    Join on=(#0 = #1)
      Project (#0)
        Get materialize.public.t
      With
        cte l1 =
          Reduce group_by=[#0] aggregates=[max(#1)]
            Project (#0, #2)
              Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
                Project (#0, #2)
                  Join on=(#1 = #0)
                    Filter (#0 IS NOT NULL)
                      Get l0
                    Filter (#0 IS NOT NULL)
                      Project (#0, #1)
                        Get materialize.public.t
      Return
        Union
          Get l1
          Map (null)
            Union
              Get l0
              Negate
                Project (#0)
                  Get l1
[flow]>
With
  cte l0 =
    Distinct
      Mfp project=(#0)
        Source t
  cte l1 =
    Reduce key=(#0) aggregates=[max(#1)]
      Mfp project=(#0, #2)
        Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
          DeltaJoin project=(#0, #2)
            %0 » %1[#0 not null]
            %1 » %0[#0 not null]
            Mfp project=(#0)
              keep #0 IS NOT NULL
              Get l0
            Source t
Return
  DeltaJoin project=(#0, #4)
    %0 » %1[#0]
    %1 » %0[#0]
    Source t
    Union
      Get l1
      Mfp project=(#0, #1)
        compute null
        Union
          Get l0
          Negate
            Mfp project=(#0)
              Get l1

-- An aggregate of a whole partition is a reduction that its rows meet; a change that leaves it alone touches none of them.
SELECT k, max(v) OVER (PARTITION BY k), lag(v) IGNORE NULLS OVER (PARTITION BY k ORDER BY w), sum(v) OVER (PARTITION BY k ORDER BY w RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) FROM t;
[plan]>
Project (#0, #7, #8, #9)
  Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[lag(#1, #3, #4) ignore nulls, sum(#1) range between #5 preceding and current row]
    Window partition_by=[#0] calls=[max(#1)]
      Map (#2::numeric)
        Map (#2::numeric - 5::numeric)
          Map (null)
            Map (1)
              Get materialize.public.t
[opt]>
Project (#0, #7, #8, #9)
  Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[lag(#1, #3, #4) ignore nulls, sum(#1) range between #5 preceding and current row]
    Window partition_by=[#0] calls=[max(#1)]
      Map (1, null, #2::numeric - 5, #2::numeric)
        Get materialize.public.t
[flow]>
With
  cte l0 =
    Mfp project=(#0, #1, #2, #3, #4, #5, #6)
      compute 1
      compute null
      compute #2::numeric - 5
      compute #2::numeric
      Source t
Return
  Mfp project=(#0, #7, #8, #9)
    Window partition_by=[#0] order_by=[#2 asc nulls_last] calls=[lag(#1, #3, #4) ignore nulls, sum(#1) range between #5 preceding and current row] recomputes=neighbours of a change
      DeltaJoin project=(#0, #1, #2, #3, #4, #5, #6, #8)
        %0 » %1[#0]
        %1 » %0[#0]
        Get l0
        Reduce key=(#0) aggregates=[max(#1)]
          Get l0
