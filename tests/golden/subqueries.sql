CREATE TABLE a (id bigint NOT NULL, k text, v int);

CREATE TABLE b (id bigint NOT NULL, a_id bigint, name text);

-- An EXISTS that is tied by an equality is a semijoin.
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id);
[plan]>
Project (#0)
  Project (#0, #1, #2)
    Join on=(#0 = #3)
      Get materialize.public.a
      Distinct
        Project (#1)
          Filter (#1 IS NOT NULL)
            Get materialize.public.b
[opt]>
Project (#0)
  Join on=(#0 = #1)
    Project (#0)
      Get materialize.public.a
    Distinct
      Filter (#0 IS NOT NULL)
        Project (#1)
          Get materialize.public.b
[flow]>
DeltaJoin project=(#0)
  %0 » %1[#0]
  %1 » %0[#0]
  Source a
  Distinct
    Mfp project=(#1)
      keep #1 IS NOT NULL
      Source b

-- NOT EXISTS takes the semijoin away.
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id);
[plan]>
Project (#0)
  Union
    Get materialize.public.a
    Negate
      Project (#0, #1, #2)
        Join on=(#0 = #3)
          Get materialize.public.a
          Distinct
            Project (#1)
              Filter (#1 IS NOT NULL)
                Get materialize.public.b
[opt]>
Union
  Project (#0)
    Get materialize.public.a
  Negate
    Project (#0)
      Join on=(#0 = #1)
        Project (#0)
          Get materialize.public.a
        Distinct
          Filter (#0 IS NOT NULL)
            Project (#1)
              Get materialize.public.b
[flow]>
Union
  Mfp project=(#0)
    Source a
  Negate
    DeltaJoin project=(#0)
      %0 » %1[#0]
      %1 » %0[#0]
      Source a
      Distinct
        Mfp project=(#1)
          keep #1 IS NOT NULL
          Source b

-- NOT IN over a column that may be NULL keeps no row once there is a NULL.
SELECT id FROM a WHERE id NOT IN (SELECT a_id FROM b);
[plan]>
Project (#0)
  With
    cte l0 =
      Project (#1)
        Get materialize.public.b
    cte l1 =
      Union
        Get materialize.public.a
        Negate
          Project (#0, #1, #2)
            Join on=(#0 = #3)
              Get materialize.public.a
              Distinct
                Filter (#0 IS NOT NULL)
                  Get l0
  Return
    Union
      Get l1
      Negate
        CrossJoin
          Get l1
          Distinct
            Project ()
              Filter (#0 IS NULL)
                Get l0
[opt]>
With
  cte l1 =
    Union
      Project (#0)
        Get materialize.public.a
      Negate
        Project (#0)
          Join on=(#0 = #1)
            Project (#0)
              Get materialize.public.a
            Distinct
              Filter (#0 IS NOT NULL)
                Project (#1)
                  Get materialize.public.b
Return
  Union
    Get l1
    Negate
      CrossJoin
        Get l1
        Distinct
          Project ()
            Filter (#0 IS NULL)
              Project (#1)
                Get materialize.public.b
[flow]>
With
  cte l0 =
    Mfp project=(#0)
      Source a
  cte l1 =
    Negate
      DeltaJoin project=(#0)
        %0 » %1[#0]
        %1 » %0[#0]
        Source a
        Distinct
          Mfp project=(#1)
            keep #1 IS NOT NULL
            Source b
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
            keep #1 IS NULL
            Source b

-- A correlated aggregate is computed for the distinct keys.
SELECT id, (SELECT count(*) FROM b WHERE b.a_id = a.id) FROM a;
[plan]>
Project (#0, #3)
  With
    cte l0 =
      Distinct
        Project (#0)
          Get materialize.public.a
  Return
    Project (#0, #1, #2, #4)
      Map (#3)
        Project (#0, #1, #2, #4)
          Join on=(#0 = #3)
            Get materialize.public.a
            With
              cte l1 =
                Reduce group_by=[#0] aggregates=[count(*)]
                  Filter (#2 = #0)
                    CrossJoin
                      Get l0
                      Get materialize.public.b
            Return
              Union
                Get l1
                Map (0)
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
        Get materialize.public.a
Return
  Project (#0, #2)
    Join on=(#0 = #1)
      Project (#0)
        Get materialize.public.a
      With
        cte l1 =
          Project (#0, #2)
            Join on=(#1 = #0)
              Get l0
              Reduce group_by=[#0] aggregates=[count(*)]
                Filter (#0 IS NOT NULL)
                  Project (#1)
                    Get materialize.public.b
      Return
        Union
          Get l1
          Map (0)
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
        Source a
  cte l1 =
    DeltaJoin project=(#0, #2)
      %0 » %1[#0]
      %1 » %0[#0]
      Get l0
      Reduce key=(#0) aggregates=[count(*)]
        Mfp project=(#1)
          keep #1 IS NOT NULL
          Source b
Return
  DeltaJoin project=(#0, #4)
    %0 » %1[#0]
    %1 » %0[#0]
    Source a
    Union
      Get l1
      Mfp project=(#0, #1)
        compute 0
        Union
          Get l0
          Negate
            Mfp project=(#0)
              Get l1

-- More than one row is an error, as data.
SELECT (SELECT name FROM b WHERE b.a_id = a.id) FROM a;
[plan]>
Project (#3)
  With
    cte l0 =
      Distinct
        Project (#0)
          Get materialize.public.a
    cte l1 =
      Project (#0, #3)
        Filter (#2 = #0)
          CrossJoin
            Get l0
            Get materialize.public.b
  Return
    Project (#0, #1, #2, #4)
      Map (#3)
        Project (#0, #1, #2, #4)
          Join on=(#0 = #3)
            Get materialize.public.a
            Union
              Get l1
              Map (null)
                Project (#0)
                  Filter error_if_many(#1)
                    Reduce group_by=[#0] aggregates=[count(*)]
                      Get l1
              Map (null)
                Union
                  Get l0
                  Negate
                    Distinct
                      Project (#0)
                        Get l1
[opt]>
With
  cte l0 =
    Distinct
      Project (#0)
        Get materialize.public.a
  cte l1 =
    Project (#0, #2)
      Join on=(#1 = #0)
        Get l0
        Filter (#0 IS NOT NULL)
          Project (#1, #2)
            Get materialize.public.b
Return
  Project (#2)
    Join on=(#0 = #1)
      Project (#0)
        Get materialize.public.a
      Union
        Get l1
        Project (#0, #2)
          Map (null)
            Filter error_if_many(#1)
              Reduce group_by=[#0] aggregates=[count(*)]
                Project (#0)
                  Get l1
        Map (null)
          Union
            Get l0
            Negate
              Distinct
                Project (#0)
                  Get l1
[flow]>
With
  cte l0 =
    Distinct
      Mfp project=(#0)
        Source a
  cte l1 =
    DeltaJoin project=(#0, #3)
      %0 » %1[#1 not null]
      %1 » %0[#0 not null]
      Get l0
      Source b
  cte l2 =
    Mfp project=(#0)
      Get l1
Return
  DeltaJoin project=(#4)
    %0 » %1[#0]
    %1 » %0[#0]
    Source a
    Union
      Get l1
      Mfp project=(#0, #2)
        keep error_if_many(#1)
        compute null
        Reduce key=(#0) aggregates=[count(*)]
          Get l2
      Mfp project=(#0, #1)
        compute null
        Union
          Get l0
          Negate
            Distinct
              Get l2

-- An uncorrelated aggregate is computed once.
SELECT id FROM a WHERE v > (SELECT max(id) FROM b);
[plan]>
Project (#0)
  Project (#0, #1, #2)
    Filter (#2 > #3)
      CrossJoin
        Get materialize.public.a
        Reduce scalar aggregates=[max(#0)]
          Get materialize.public.b
[opt]>
Project (#0)
  Filter (#1 > #2)
    CrossJoin
      Project (#0, #2)
        Get materialize.public.a
      Reduce scalar aggregates=[max(#0)]
        Project (#0)
          Get materialize.public.b
[flow]>
With
  cte l0 =
    Reduce key=() aggregates=[max(#0)]
      Mfp project=(#0)
        Source b
Return
  Mfp project=(#0)
    keep #1 > #2
    DeltaJoin project=(#0, #2, #3)
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
