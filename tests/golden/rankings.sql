CREATE TABLE t (k text, v int, w bigint NOT NULL);

-- rank() keeps the peers of the last row, dense_rank() so many groups of them; once their columns are not read, no window is left.
SELECT k, v FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM t) s WHERE n <= 3;
[plan]>
Project (#0, #1)
  Filter (#3 <= 3)
    Window partition_by=[#0] order_by=[#1 desc nulls_first] calls=[rank()]
      Get materialize.public.t
[opt]>
TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=3 with ties
  Project (#0, #1)
    Get materialize.public.t
[flow]>
TopK group_by=[#0] order_by=[#1 desc nulls_first] limit=3 with ties
  Mfp project=(#0, #1)
    Source t

SELECT k, v FROM (SELECT *, dense_rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE 3 > n;
[plan]>
Project (#0, #1)
  Filter (3 > #3)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[dense_rank()]
      Get materialize.public.t
[opt]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 peers counted once
  Project (#0, #1)
    Get materialize.public.t
[flow]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 peers counted once
  Mfp project=(#0, #1)
    Source t

-- An equality with another number than 1, and a lower bound, are still asked of the prefix.
SELECT k, v FROM t QUALIFY rank() OVER (PARTITION BY k ORDER BY v) = 1;
[plan]>
Project (#0, #1)
  Filter (#3 = 1)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
      Get materialize.public.t
[opt]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=1 with ties
  Project (#0, #1)
    Get materialize.public.t
[flow]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=1 with ties
  Mfp project=(#0, #1)
    Source t

SELECT k, v, n FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n BETWEEN 2 AND 4;
[plan]>
Project (#0, #1, #3)
  Filter (#3 >= 2) AND (#3 <= 4)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()]
      Get materialize.public.t
[opt]>
Filter (#2 >= 2)
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()]
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=4
      Project (#0, #1)
        Get materialize.public.t
[flow]>
Mfp project=(#0, #1, #2)
  keep #2 >= 2
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()] recomputes=rows behind a change
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=4
      Mfp project=(#0, #1)
        Source t

SELECT k, v FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n IN (1, 3) OR n < 2.5;
[plan]>
Project (#0, #1)
  Filter (((#3 = 1) OR (#3 = 3)) OR (#3::numeric < 2.5))
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()]
      Get materialize.public.t
[opt]>
Project (#0, #1)
  Filter ((#2 = 1) OR (#2 = 3) OR (#2::numeric < 2.5))
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()]
      TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=3
        Project (#0, #1)
          Get materialize.public.t
[flow]>
Mfp project=(#0, #1)
  keep (#2 = 1) OR (#2 = 3) OR (#2::numeric < 2.5)
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number()] recomputes=rows behind a change
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=3
      Mfp project=(#0, #1)
        Source t

-- Of several bounds the one that cuts peers is the shortest prefix, and the others hold in it if they are as long.
SELECT k, v FROM (SELECT *, row_number() OVER w AS n, rank() OVER w AS r, dense_rank() OVER w AS d FROM t WINDOW w AS (PARTITION BY k ORDER BY v)) s WHERE n <= 3 AND r <= 3 AND d <= 2;
[plan]>
Project (#0, #1)
  Filter (#3 <= 3) AND (#4 <= 3) AND (#5 <= 2)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[row_number(), rank(), dense_rank()]
      Get materialize.public.t
[opt]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 peers counted once
  TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=3
    Project (#0, #1)
      Get materialize.public.t
[flow]>
TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 peers counted once
  TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=3
    Mfp project=(#0, #1)
      Source t

-- A call that looks at its row's peers asks for whole groups of them; one that looks ahead for the partition.
SELECT * FROM (SELECT k, sum(w) OVER x, row_number() OVER x AS n FROM t WINDOW x AS (PARTITION BY k ORDER BY v)) s WHERE n <= 2;
[plan]>
Filter (#2 <= 2)
  Project (#0, #3, #4)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[sum(#2), row_number()]
      Get materialize.public.t
[opt]>
Filter (#2 <= 2)
  Project (#0, #3, #4)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[sum(#2), row_number()]
      TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 with ties
        Get materialize.public.t
[flow]>
Mfp project=(#0, #3, #4)
  keep #4 <= 2
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[sum(#2), row_number()] recomputes=rows behind a change
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 with ties
      Source t

SELECT * FROM (SELECT k, lead(w) OVER x, row_number() OVER x AS n FROM t WINDOW x AS (PARTITION BY k ORDER BY v)) s WHERE n <= 2;
[plan]>
Filter (#2 <= 2)
  Project (#0, #5, #6)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[lead(#2, #3, #4), row_number()]
      Map (null)
        Map (1)
          Get materialize.public.t
[opt]>
Filter (#2 <= 2)
  Project (#0, #5, #6)
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[lead(#2, #3, #4), row_number()]
      Map (1, null)
        Get materialize.public.t
[flow]>
Mfp project=(#0, #5, #6)
  keep #6 <= 2
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[lead(#2, #3, #4), row_number()] recomputes=rows behind a change
    Mfp project=(#0, #1, #2, #3, #4)
      compute 1
      compute null
      Source t

-- Without an order all rows are peers: rank() is 1 and keeps all, row_number() any k.
SELECT k, v FROM (SELECT *, rank() OVER (PARTITION BY k) AS n FROM t) s WHERE n <= 2;
[plan]>
Project (#0, #1)
  Filter (#3 <= 2)
    Window partition_by=[#0] calls=[rank()]
      Get materialize.public.t
[opt]>
Project (#0, #1)
  Get materialize.public.t
[flow]>
Mfp project=(#0, #1)
  Source t

SELECT k, v FROM (SELECT *, row_number() OVER (PARTITION BY k) AS n FROM t) s WHERE n <= 2;
[plan]>
Project (#0, #1)
  Filter (#3 <= 2)
    Window partition_by=[#0] calls=[row_number()]
      Get materialize.public.t
[opt]>
TopK group_by=[#0] limit=2
  Project (#0, #1)
    Get materialize.public.t
[flow]>
TopK group_by=[#0] limit=2
  Mfp project=(#0, #1)
    Source t

-- No row passes.
SELECT k FROM (SELECT k, rank() OVER (ORDER BY v) AS n FROM t) s WHERE n <= 0;
[plan]>
Project (#0)
  Filter (#1 <= 0)
    Project (#0, #3)
      Window order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[opt]>
Constant <empty>
[flow]>
Constant <empty>

SELECT k FROM (SELECT k, row_number() OVER (ORDER BY v) AS n FROM t) s WHERE n < -3;
[plan]>
Project (#0)
  Filter (#1 < -3)
    Project (#0, #3)
      Window order_by=[#1 asc nulls_last] calls=[row_number()]
        Get materialize.public.t
[opt]>
Constant <empty>
[flow]>
Constant <empty>

SELECT k FROM (SELECT k, row_number() OVER (ORDER BY v) AS n FROM t) s WHERE n <= NULL;
[plan]>
Project (#0)
  Filter (#1 <= null)
    Project (#0, #3)
      Window order_by=[#1 asc nulls_last] calls=[row_number()]
        Get materialize.public.t
[opt]>
Constant <empty>
[flow]>
Constant <empty>

-- In a CTE that is read twice the longer prefix would do for both, but a bound of one reader says nothing of the other.
WITH r AS (SELECT k, v, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) SELECT a.k, b.v FROM r a JOIN r b ON a.k = b.k WHERE a.n <= 2 AND b.n <= 2;
[plan]>
With
  cte l1 =
    Project (#0, #1, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
Return
  Project (#0, #4)
    Filter (#2 <= 2) AND (#5 <= 2)
      Filter (#0 = #3)
        CrossJoin
          Get l1
          Get l1
[opt]>
With
  cte l1 =
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 with ties
      Filter (#0 IS NOT NULL)
        Project (#0, #1)
          Get materialize.public.t
Return
  Project (#0, #2)
    Join on=(#0 = #1)
      Project (#0)
        Get l1
      Get l1
[flow]>
With
  cte l0 =
    TopK group_by=[#0] order_by=[#1 asc nulls_last] limit=2 with ties
      Mfp project=(#0, #1)
        keep #0 IS NOT NULL
        Source t
Return
  DeltaJoin project=(#0, #2)
    %0 » %1[#0]
    %1 » %0[#0]
    Mfp project=(#0)
      Get l0
    Get l0

WITH r AS (SELECT k, v, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) SELECT a.k, b.v FROM r a JOIN r b ON a.k = b.k WHERE a.n <= 2;
[plan]>
With
  cte l1 =
    Project (#0, #1, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
Return
  Project (#0, #4)
    Filter (#2 <= 2)
      Filter (#0 = #3)
        CrossJoin
          Get l1
          Get l1
[opt]>
With
  cte l1 =
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
      Filter (#0 IS NOT NULL)
        Project (#0, #1)
          Get materialize.public.t
Return
  Project (#0, #2)
    Join on=(#0 = #1)
      Project (#0)
        Filter (#1 <= 2)
          Project (#0, #2)
            Get l1
      Project (#0, #1)
        Get l1
[flow]>
With
  cte l0 =
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
      Mfp project=(#0, #1)
        keep #0 IS NOT NULL
        Source t
Return
  DeltaJoin project=(#0, #2)
    %0 » %1[#0]
    %1 » %0[#0]
    Mfp project=(#0)
      keep #2 <= 2
      Get l0
    Mfp project=(#0, #1)
      Get l0

-- What keeps no upper bound, or bounds something else, sees all rows.
SELECT k FROM (SELECT k, v, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n <= 2 OR v = 1;
[plan]>
Project (#0)
  Filter ((#2 <= 2) OR (#1 = 1))
    Project (#0, #1, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[opt]>
Project (#0)
  Filter ((#2 <= 2) OR (#1 = 1))
    Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
      Project (#0, #1)
        Get materialize.public.t
[flow]>
Mfp project=(#0)
  keep (#2 <= 2) OR (#1 = 1)
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
    Mfp project=(#0, #1)
      Source t

SELECT k FROM (SELECT k, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n > 2;
[plan]>
Project (#0)
  Filter (#1 > 2)
    Project (#0, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[opt]>
Project (#0)
  Filter (#1 > 2)
    Project (#0, #2)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Project (#0, #1)
          Get materialize.public.t
[flow]>
Mfp project=(#0)
  keep #2 > 2
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
    Mfp project=(#0, #1)
      Source t

SELECT k FROM (SELECT k, w, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n <= w;
[plan]>
Project (#0)
  Filter (#2 <= #1)
    Project (#0, #2, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[opt]>
Project (#0)
  Filter (#2 <= #1)
    Project (#0, #2, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()]
        Get materialize.public.t
[flow]>
Mfp project=(#0)
  keep #3 <= #2
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[rank()] recomputes=rows behind a change
    Source t

SELECT k FROM (SELECT k, percent_rank() OVER (PARTITION BY k ORDER BY v) AS n FROM t) s WHERE n <= 1;
[plan]>
Project (#0)
  Filter (#1 <= 1::double precision)
    Project (#0, #3)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[percent_rank()]
        Get materialize.public.t
[opt]>
Project (#0)
  Filter (#1 <= 1.0)
    Project (#0, #2)
      Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[percent_rank()]
        Project (#0, #1)
          Get materialize.public.t
[flow]>
Mfp project=(#0)
  keep #2 <= 1.0
  Window partition_by=[#0] order_by=[#1 asc nulls_last] calls=[percent_rank()] recomputes=touched partitions
    Mfp project=(#0, #1)
      Source t
