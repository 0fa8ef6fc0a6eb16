-- Each rule of the optimiser on the smallest query that shows it.
CREATE TABLE parts (id bigint NOT NULL PRIMARY KEY, brand text NOT NULL, size integer);

CREATE TABLE lines (part bigint NOT NULL, quantity integer NOT NULL, price numeric);

-- What every branch of an OR asks comes forward: a key of the join.
SELECT price FROM lines, parts
WHERE (part = id AND brand = 'A' AND quantity < 10) OR (part = id AND brand = 'B' AND quantity < 20);
[plan]>
Project (#2)
  Filter (((#0 = #3) AND (#4 = "A") AND (#1 < 10)) OR ((#0 = #3) AND (#4 = "B") AND (#1 < 20)))
    Filter true
      CrossJoin
        Get materialize.public.lines
        Get materialize.public.parts
[opt]>
Project (#1)
  Filter (((#2 = "A") AND (#0 < 10)) OR ((#2 = "B") AND (#0 < 20)))
    Project (#1, #2, #4)
      Join on=(#0 = #3)
        Get materialize.public.lines
        Project (#0, #1)
          Get materialize.public.parts
[flow]>
Mfp project=(#1)
  keep ((#2 = "A") AND (#0 < 10)) OR ((#2 = "B") AND (#0 < 20))
  DeltaJoin project=(#1, #2, #4)
    %0 » %1[#0]
    %1 » %0[#0]
    Source lines
    Source parts

-- DISTINCT under several filters: each value is kept once, with a flag for each filter.
SELECT part, count(DISTINCT price), count(DISTINCT price) FILTER (WHERE quantity < 10),
    count(DISTINCT price) FILTER (WHERE quantity >= 10)
FROM lines GROUP BY part;
[plan]>
Reduce group_by=[#0] aggregates=[count(distinct #2), count(distinct #2) filter=#1 < 10, count(distinct #2) filter=#1 >= 10]
  Get materialize.public.lines
[opt]>
Reduce group_by=[#0] aggregates=[count(distinct #2), count(distinct #2) filter=#1 < 10, count(distinct #2) filter=#1 >= 10]
  Get materialize.public.lines
[flow]>
Reduce key=(#0) aggregates=[count(#1), count(#2), count(#3)]
  Mfp project=(#0, #1, #4, #5)
    compute case when #2 then #1 else null end
    compute case when #3 then #1 else null end
    Reduce key=(#0, #1) aggregates=[bool_or(#2), bool_or(#3)]
      Mfp project=(#0, #2, #3, #4)
        compute #1 < 10
        compute #1 >= 10
        Source lines

-- An equality that can fail is a key where it does not; where it does, it fails if there is a row to meet.
SELECT price FROM lines JOIN parts ON part / quantity = id;
[plan]>
Project (#2)
  Filter ((#0 / #1) = #3)
    CrossJoin
      Get materialize.public.lines
      Get materialize.public.parts
[opt]>
Union
  Project (#0)
    Join on=(#1 = #2)
      Filter (#1 IS NOT NULL)
        Project (#2, #3)
          Map (case when fails(#0 / #1) then null else #0 / #1 end)
            Get materialize.public.lines
      Project (#0)
        Get materialize.public.parts
  Project (#2)
    Filter ((#0 / #1) IS NULL) AND false
      CrossJoin
        Filter fails(#0 / #1)
          Get materialize.public.lines
        Distinct
          Project ()
            Get materialize.public.parts
[flow]>
Union
  DeltaJoin project=(#0)
    %0 » %1[#0]
    %1 » %0[#1]
    Mfp project=(#2, #3)
      compute case when fails(#0 / #1) then null else #0 / #1 end
      keep #3 IS NOT NULL
      Source lines
    Source parts
  Mfp project=(#2)
    keep (#0 / #1) IS NULL
    keep false
    DeltaJoin project=(#0, #1, #2)
      %0 » %1[]×
      %1 » %0[]×
      Mfp project=(#0, #1, #2)
        keep fails(#0 / #1)
        Source lines
      Distinct
        Mfp project=()
          Source parts

-- A predicate that is never true of a NULL makes an outer join an inner one.
SELECT price, brand FROM lines LEFT JOIN parts ON part = id WHERE size > 3;
[plan]>
Project (#2, #4)
  Filter (#5 > 3)
    Union
      Filter (#0 = #3)
        CrossJoin
          Get materialize.public.lines
          Get materialize.public.parts
      Map (null, null, null)
        Union
          Get materialize.public.lines
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3)
                Get materialize.public.lines
                Distinct
                  Project (#0)
                    Get materialize.public.parts
[opt]>
Project (#1, #3)
  Join on=(#0 = #2)
    Project (#0, #2)
      Get materialize.public.lines
    Project (#0, #1)
      Filter (#2 > 3)
        Get materialize.public.parts
[flow]>
DeltaJoin project=(#2, #4)
  %0 » %1[#0]
  %1 » %0[#0]
  Source lines
  Mfp project=(#0, #1)
    keep #2 > 3
    Source parts

-- A side that nobody reads goes, if it meets at most one row or if rows are not counted.
SELECT price FROM lines LEFT JOIN (SELECT DISTINCT brand FROM parts) AS p ON p.brand = price::text;
[plan]>
Project (#2)
  With
    cte l0 =
      Distinct
        Project (#1)
          Get materialize.public.parts
  Return
    Union
      Filter (#3 = #2::text)
        CrossJoin
          Get materialize.public.lines
          Get l0
      Map (null)
        Union
          Get materialize.public.lines
          Negate
            Project (#0, #1, #2)
              Join on=(#2::text = #3)
                Get materialize.public.lines
                Distinct
                  Get l0
[opt]>
Project (#2)
  Get materialize.public.lines
[flow]>
Mfp project=(#2)
  Source lines

SELECT DISTINCT price FROM lines LEFT JOIN parts ON part = size;
[plan]>
Distinct
  Project (#2)
    Union
      Filter (#0 = #5)
        CrossJoin
          Get materialize.public.lines
          Get materialize.public.parts
      Map (null, null, null)
        Union
          Get materialize.public.lines
          Negate
            Project (#0, #1, #2)
              Join on=(#0 = #3)
                Get materialize.public.lines
                Distinct
                  Project (#2)
                    Filter (#2 IS NOT NULL)
                      Get materialize.public.parts
[opt]>
Distinct
  Project (#2)
    Get materialize.public.lines
[flow]>
Distinct
  Mfp project=(#2)
    Source lines

CREATE TABLE readings (sensor bigint NOT NULL, at timestamp, value integer);

-- Hopping windows are counted in bins before they overlap.
SELECT sensor, w, count(*), max(value) FROM readings, date_bin_hopping('2 s', '10 s', at) AS w GROUP BY sensor, w;
[plan]>
Reduce group_by=[#0, #3] aggregates=[count(*), max(#2)]
  FlatMap date_bin_hopping('00:00:02', '00:00:10', #1)
    Get materialize.public.readings
[opt]>
Reduce group_by=[#0, #3] aggregates=[sum(#1), max(#2)]
  Project (#0, #2, #3, #4)
    FlatMap date_bin_hopping('00:00:02', '00:00:10', #1)
      Reduce group_by=[#0, date_bin('00:00:02', #1)] aggregates=[count(*), max(#2)]
        Get materialize.public.readings
[flow]>
Reduce key=(#0, #1) aggregates=[sum(#2), max(#3)]
  Mfp project=(#0, #4, #2, #3)
    FlatMap date_bin_hopping('00:00:02', '00:00:10', #1)
      Reduce key=(#0, #1) aggregates=[count(*), max(#2)]
        Mfp project=(#0, #3, #2)
          compute date_bin('00:00:02', #1)
          Source readings

CREATE INDEX parts_id ON parts (id);

-- A collection met by its own unique key is itself.
SELECT a.brand, b.size FROM parts a JOIN parts b ON a.id = b.id WHERE a.size > 3;
[plan]>
Project (#1, #5)
  Filter (#2 > 3)
    Filter (#0 = #3)
      CrossJoin
        Get materialize.public.parts
        Get materialize.public.parts
[opt]>
Filter (#1 > 3)
  Project (#1, #2)
    Get materialize.public.parts
[flow]>
Mfp project=(#1, #2)
  keep #2 > 3
  Source parts

-- Groups that fix what a join meets on: each side is reduced by itself, and a row of one meets a row of the other.
SELECT part, max(quantity), min(size) FROM lines JOIN parts ON part = id GROUP BY part;
[plan]>
Reduce group_by=[#0] aggregates=[max(#1), min(#5)]
  Filter (#0 = #3)
    CrossJoin
      Get materialize.public.lines
      Get materialize.public.parts
[opt]>
Project (#0, #1, #3)
  Join on=(#0 = #2)
    Reduce group_by=[#0] aggregates=[max(#1)]
      Project (#0, #1)
        Get materialize.public.lines
    Reduce group_by=[#0] aggregates=[min(#1)]
      Project (#0, #2)
        Get materialize.public.parts
[flow]>
DeltaJoin project=(#0, #1, #3)
  %0 » %1[#0]
  %1 » %0[#0]
  Reduce key=(#0) aggregates=[max(#1)]
    Mfp project=(#0, #1)
      Source lines
  Reduce key=(#0) aggregates=[min(#1)]
    Mfp project=(#0, #2)
      Source parts

-- Counts and sums as well, of the side that meets one row at most of the other.
SELECT id, brand, count(*), sum(quantity) FROM lines JOIN parts ON part = id GROUP BY id, brand;
[plan]>
Reduce group_by=[#3, #4] aggregates=[count(*), sum(#1)]
  Filter (#0 = #3)
    CrossJoin
      Get materialize.public.lines
      Get materialize.public.parts
[opt]>
Project (#3, #4, #1, #2)
  Join on=(#0 = #3)
    Reduce group_by=[#0] aggregates=[count(*), sum(#1)]
      Project (#0, #1)
        Get materialize.public.lines
    Project (#0, #1)
      Get materialize.public.parts
[flow]>
DeltaJoin project=(#3, #4, #1, #2)
  %0 » %1[#0]
  %1 » %0[#0]
  Reduce key=(#0) aggregates=[count(*), sum(#1)]
    Mfp project=(#0, #1)
      Source lines
  Source parts

-- Not where a predicate may leave few rows to reduce.
SELECT id, sum(quantity) FROM lines JOIN parts ON part = id WHERE size = 3 GROUP BY id;
[plan]>
Reduce group_by=[#3] aggregates=[sum(#1)]
  Filter (#5 = 3)
    Filter (#0 = #3)
      CrossJoin
        Get materialize.public.lines
        Get materialize.public.parts
[opt]>
Reduce group_by=[#1] aggregates=[sum(#0)]
  Project (#1, #2)
    Join on=(#0 = #2)
      Project (#0, #1)
        Get materialize.public.lines
      Project (#0)
        Filter (#1 = 3)
          Project (#0, #2)
            Get materialize.public.parts
[flow]>
Reduce key=(#0) aggregates=[sum(#1)]
  DeltaJoin project=(#3, #1)
    %0 » %1[#0]
    %1 » %0[#0]
    Source lines
    Mfp project=(#0)
      keep #2 = 3
      Source parts

CREATE MATERIALIZED VIEW sums AS SELECT part, sum(quantity) AS total FROM lines GROUP BY part;

-- A materialized view has the keys of its query: no row of it is there twice, and it meets itself by them.
SELECT DISTINCT s.part, s.total, t.total AS again FROM sums s JOIN sums t ON s.part = t.part;
[plan]>
Distinct
  Project (#0, #1, #3)
    Filter (#0 = #2)
      CrossJoin
        Get materialize.public.sums
        Get materialize.public.sums
[opt]>
Project (#0, #1, #1)
  Get materialize.public.sums
[flow]>
Mfp project=(#0, #1, #1)
  Source sums

-- So have fixed rows.
SELECT DISTINCT v.name, s.total FROM (VALUES (1, 'one'), (2, 'two')) AS v (k, name) JOIN sums s ON s.part = v.k;
[plan]>
Distinct
  Project (#1, #3)
    Filter (#2 = #0)
      CrossJoin
        Constant
          - (1, "one")
          - (2, "two")
        Get materialize.public.sums
[opt]>
Project (#1, #3)
  Join on=(#2 = #0)
    Constant
      - (1, "one")
      - (2, "two")
    Get materialize.public.sums
[flow]>
DeltaJoin project=(#1, #3)
  %0 » %1[#0]
  %1 » %0[#0]
  Constant
    - (1, "one")
    - (2, "two")
  Source sums

-- Of inputs that are tied alike, the one that must have one value is met first.
SELECT l.price, p.size, q.size FROM lines l, parts p, parts q
WHERE l.quantity = p.size AND l.quantity = q.size AND p.brand > 'A' AND q.brand = 'B';
[plan]>
Project (#2, #5, #8)
  Filter (#1 = #5) AND (#1 = #8) AND (#4 > "A") AND (#7 = "B")
    Filter true
      CrossJoin
        Filter true
          CrossJoin
            Get materialize.public.lines
            Get materialize.public.parts
        Get materialize.public.parts
[opt]>
Project (#1, #2, #3)
  Join on=(#0 = #2 = #3)
    Project (#1, #2)
      Get materialize.public.lines
    Project (#1)
      Filter (#1 IS NOT NULL) AND (#0 > "A")
        Project (#1, #2)
          Get materialize.public.parts
    Project (#1)
      Filter (#1 IS NOT NULL) AND (#0 = "B")
        Project (#1, #2)
          Get materialize.public.parts
[flow]>
DeltaJoin project=(#2, #3, #4)
  %0 » %2[#0] » %1[#0]
  %1 » %2[#0] » %0[#1]
  %2 » %1[#0] » %0[#1]
  Source lines
  Mfp project=(#2)
    keep #2 IS NOT NULL
    keep #1 > "A"
    Source parts
  Mfp project=(#2)
    keep #2 IS NOT NULL
    keep #1 = "B"
    Source parts

-- What a constant decides is empty, whatever cannot fail stands before it; a guard that can fail stays, and so does its error.
SELECT price FROM lines WHERE quantity > 3 AND 1 = 2;
[plan]>
Project (#2)
  Filter (#1 > 3) AND (1 = 2)
    Get materialize.public.lines
[opt]>
Constant <empty>
[flow]>
Constant <empty>

SELECT price FROM lines WHERE 10 / quantity > 3 AND 1 = 2;
[plan]>
Project (#2)
  Filter ((10 / #1) > 3) AND (1 = 2)
    Get materialize.public.lines
[opt]>
Project (#1)
  Filter ((10 / #0) > 3) AND false
    Project (#1, #2)
      Get materialize.public.lines
[flow]>
Mfp project=(#2)
  keep (10 / #1) > 3
  keep false
  Source lines

-- NOTs go to the comparisons in one walk, however many they are.
SELECT price FROM lines WHERE NOT (part = 1 OR NOT (quantity < 2 OR NOT (quantity > 3 AND price IS NULL)));
[plan]>
Project (#2)
  Filter NOT((#0 = 1) OR NOT((#1 < 2) OR NOT((#1 > 3) AND (#2 IS NULL))))
    Get materialize.public.lines
[opt]>
Project (#2)
  Filter (#0 <> 1) AND ((#1 < 2) OR (#1 <= 3) OR (#2 IS NOT NULL))
    Get materialize.public.lines
[flow]>
Mfp project=(#2)
  keep #0 <> 1
  keep (#1 < 2) OR (#1 <= 3) OR (#2 IS NOT NULL)
  Source lines

-- A long list of rows is a relation that the rows meet.
SELECT price FROM lines WHERE (part, quantity) IN ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (10, 10), (11, 11), (12, 12), (13, 13), (14, 14), (15, 15), (16, 16), (17, 17), (18, 18), (19, 19), (20, 20), (21, 21), (22, 22), (23, 23), (24, 24), (25, 25), (26, 26), (27, 27), (28, 28), (29, 29), (30, 30), (31, 31), (32, 32), (33, 33), (34, 34), (35, 35), (36, 36), (37, 37), (38, 38), (39, 39), (40, 40), (41, 41), (42, 42), (43, 43), (44, 44), (45, 45), (46, 46), (47, 47), (48, 48), (49, 49), (50, 50), (51, 51), (52, 52), (53, 53), (54, 54), (55, 55), (56, 56), (57, 57), (58, 58), (59, 59), (60, 60), (61, 61), (62, 62), (63, 63));
[plan]>
Project (#2)
  Filter (((#0 = 0) AND (#1 = 0)) OR ((#0 = 1) AND (#1 = 1)) OR ((#0 = 2) AND (#1 = 2)) OR ((#0 = 3) AND (#1 = 3)) OR ((#0 = 4) AND (#1 = 4)) OR ((#0 = 5) AND (#1 = 5)) OR ((#0 = 6) AND (#1 = 6)) OR ((#0 = 7) AND (#1 = 7)) OR ((#0 = 8) AND (#1 = 8)) OR ((#0 = 9) AND (#1 = 9)) OR ((#0 = 10) AND (#1 = 10)) OR ((#0 = 11) AND (#1 = 11)) OR ((#0 = 12) AND (#1 = 12)) OR ((#0 = 13) AND (#1 = 13)) OR ((#0 = 14) AND (#1 = 14)) OR ((#0 = 15) AND (#1 = 15)) OR ((#0 = 16) AND (#1 = 16)) OR ((#0 = 17) AND (#1 = 17)) OR ((#0 = 18) AND (#1 = 18)) OR ((#0 = 19) AND (#1 = 19)) OR ((#0 = 20) AND (#1 = 20)) OR ((#0 = 21) AND (#1 = 21)) OR ((#0 = 22) AND (#1 = 22)) OR ((#0 = 23) AND (#1 = 23)) OR ((#0 = 24) AND (#1 = 24)) OR ((#0 = 25) AND (#1 = 25)) OR ((#0 = 26) AND (#1 = 26)) OR ((#0 = 27) AND (#1 = 27)) OR ((#0 = 28) AND (#1 = 28)) OR ((#0 = 29) AND (#1 = 29)) OR ((#0 = 30) AND (#1 = 30)) OR ((#0 = 31) AND (#1 = 31)) OR ((#0 = 32) AND (#1 = 32)) OR ((#0 = 33) AND (#1 = 33)) OR ((#0 = 34) AND (#1 = 34)) OR ((#0 = 35) AND (#1 = 35)) OR ((#0 = 36) AND (#1 = 36)) OR ((#0 = 37) AND (#1 = 37)) OR ((#0 = 38) AND (#1 = 38)) OR ((#0 = 39) AND (#1 = 39)) OR ((#0 = 40) AND (#1 = 40)) OR ((#0 = 41) AND (#1 = 41)) OR ((#0 = 42) AND (#1 = 42)) OR ((#0 = 43) AND (#1 = 43)) OR ((#0 = 44) AND (#1 = 44)) OR ((#0 = 45) AND (#1 = 45)) OR ((#0 = 46) AND (#1 = 46)) OR ((#0 = 47) AND (#1 = 47)) OR ((#0 = 48) AND (#1 = 48)) OR ((#0 = 49) AND (#1 = 49)) OR ((#0 = 50) AND (#1 = 50)) OR ((#0 = 51) AND (#1 = 51)) OR ((#0 = 52) AND (#1 = 52)) OR ((#0 = 53) AND (#1 = 53)) OR ((#0 = 54) AND (#1 = 54)) OR ((#0 = 55) AND (#1 = 55)) OR ((#0 = 56) AND (#1 = 56)) OR ((#0 = 57) AND (#1 = 57)) OR ((#0 = 58) AND (#1 = 58)) OR ((#0 = 59) AND (#1 = 59)) OR ((#0 = 60) AND (#1 = 60)) OR ((#0 = 61) AND (#1 = 61)) OR ((#0 = 62) AND (#1 = 62)) OR ((#0 = 63) AND (#1 = 63)))
    Get materialize.public.lines
[opt]>
Project (#2)
  Join on=(#0 = #3 AND #1 = #4)
    Get materialize.public.lines
    Constant
      - (0, 0)
      - (1, 1)
      - (2, 2)
      - (3, 3)
      - (4, 4)
      - (5, 5)
      - (6, 6)
      - (7, 7)
      - (8, 8)
      - (9, 9)
      - (10, 10)
      - (11, 11)
      - (12, 12)
      - (13, 13)
      - (14, 14)
      - (15, 15)
      - (16, 16)
      - (17, 17)
      - (18, 18)
      - (19, 19)
      ... 44 more
[flow]>
DeltaJoin project=(#2)
  %0 » %1[#0, #1]
  %1 » %0[#0, #1]
  Source lines
  Constant
    - (0, 0)
    - (1, 1)
    - (2, 2)
    - (3, 3)
    - (4, 4)
    - (5, 5)
    - (6, 6)
    - (7, 7)
    - (8, 8)
    - (9, 9)
    - (10, 10)
    - (11, 11)
    - (12, 12)
    - (13, 13)
    - (14, 14)
    - (15, 15)
    - (16, 16)
    - (17, 17)
    - (18, 18)
    - (19, 19)
    ... 44 more

-- array_queries: the array of a query that is searched is the query, a semijoin; <> ALL is NOT IN.
SELECT quantity FROM lines WHERE part = ANY (ARRAY(SELECT id FROM parts WHERE size > 3 ORDER BY brand));
[plan]>
Project (#1)
  Project (#0, #1, #2)
    Filter = any(#0, coalesce(#3, \x0000))
      CrossJoin
        Get materialize.public.lines
        Reduce scalar aggregates=[array_agg(#0 order_by=#1 asc nulls_last)]
          Project (#0, #1)
            Filter (#2 > 3)
              Get materialize.public.parts
[opt]>
Project (#1)
  Join on=(#0 = #2)
    Project (#0, #1)
      Get materialize.public.lines
    Project (#0)
      Filter (#1 > 3) AND (#0 IS NOT NULL)
        Project (#0, #2)
          Get materialize.public.parts
[flow]>
DeltaJoin project=(#1)
  %0 » %1[#0]
  %1 » %0[#0]
  Source lines
  Mfp project=(#0)
    keep #2 > 3
    keep #0 IS NOT NULL
    Source parts

SELECT quantity FROM lines WHERE part <> ALL (ARRAY(SELECT id FROM parts));
[plan]>
Project (#1)
  Project (#0, #1, #2)
    Filter <> all(#0, coalesce(#3, \x0000))
      CrossJoin
        Get materialize.public.lines
        Reduce scalar aggregates=[array_agg(#0)]
          Project (#0)
            Get materialize.public.parts
[opt]>
With
  cte l1 =
    Union
      Project (#1)
        Get materialize.public.lines
      Negate
        Project (#1)
          Join on=(#0 = #2)
            Project (#0, #1)
              Get materialize.public.lines
            Filter (#0 IS NOT NULL)
              Project (#0)
                Get materialize.public.parts
Return
  Union
    Get l1
    Negate
      CrossJoin
        Get l1
        Distinct
          Project ()
            Filter (#0 IS NULL)
              Project (#0)
                Get materialize.public.parts
[flow]>
With
  cte l0 =
    Mfp project=(#1)
      Source lines
  cte l1 =
    Negate
      DeltaJoin project=(#1)
        %0 » %1[#0 not null]
        %1 » %0[#0 not null]
        Source lines
        Source parts
Return
  Union
    Get l0
    Get l1
    Negate
      DeltaJoin project=(#0)
        %0 » %1[]×
        %1 » %0[]×
        Union
          Get l0
          Get l1
        Distinct
          Mfp project=()
            keep #0 IS NULL
            Source parts
