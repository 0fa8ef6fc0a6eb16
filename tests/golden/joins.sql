CREATE TABLE orders (id bigint NOT NULL, customer bigint NOT NULL, total numeric);

CREATE TABLE customers (id bigint NOT NULL, region text NOT NULL);

CREATE TABLE notes (customer bigint, text text);

-- The join of the demo: narrow inputs, one key.
SELECT c.region, sum(o.total) FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.region;
[plan]>
Reduce group_by=[#4] aggregates=[sum(#2)]
  Filter (#1 = #3)
    CrossJoin
      Get materialize.public.orders
      Get materialize.public.customers
[opt]>
Reduce group_by=[#1] aggregates=[sum(#0)]
  Project (#1, #3)
    Join on=(#0 = #2)
      Project (#1, #2)
        Get materialize.public.orders
      Get materialize.public.customers
[flow]>
Reduce key=(#0) aggregates=[sum(#1)]
  DeltaJoin project=(#4, #2)
    %0 » %1[#0]
    %1 » %0[#1]
    Source orders
    Source customers

-- A literal on one side of an equality holds for the other.
SELECT o.total FROM orders o, customers c WHERE o.customer = c.id AND c.id = 7;
[plan]>
Project (#2)
  Filter (#1 = #3) AND (#3 = 7)
    Filter true
      CrossJoin
        Get materialize.public.orders
        Get materialize.public.customers
[opt]>
Project (#1)
  Join on=(#0 = #2)
    Filter (#0 = 7)
      Project (#1, #2)
        Get materialize.public.orders
    Filter (#0 = 7)
      Project (#0)
        Get materialize.public.customers
[flow]>
DeltaJoin project=(#1)
  %0 » %1[#0]
  %1 » %0[#0]
  Mfp project=(#1, #2)
    keep #1 = 7
    Source orders
  Mfp project=(#0)
    keep #0 = 7
    Source customers

-- A predicate on the left of a LEFT JOIN goes below both of its halves.
SELECT c.region, n.text FROM customers c LEFT JOIN notes n ON n.customer = c.id WHERE c.region = 'EU';
[plan]>
Project (#1, #3)
  Filter (#1 = "EU")
    Union
      Filter (#2 = #0)
        CrossJoin
          Get materialize.public.customers
          Get materialize.public.notes
      Map (null, null)
        Union
          Get materialize.public.customers
          Negate
            Project (#0, #1)
              Join on=(#0 = #2)
                Get materialize.public.customers
                Distinct
                  Project (#0)
                    Filter (#0 IS NOT NULL)
                      Get materialize.public.notes
[opt]>
Union
  Project (#1, #3)
    Join on=(#2 = #0)
      Filter (#1 = "EU")
        Get materialize.public.customers
      Filter (#0 IS NOT NULL)
        Get materialize.public.notes
  Map (null)
    Union
      Filter (#0 = "EU")
        Project (#1)
          Get materialize.public.customers
      Negate
        Project (#1)
          Join on=(#0 = #2)
            Filter (#1 = "EU")
              Get materialize.public.customers
            Distinct
              Filter (#0 IS NOT NULL)
                Project (#0)
                  Get materialize.public.notes
[flow]>
With
  cte l0 =
    Mfp project=(#0, #1)
      keep #1 = "EU"
      Source customers
Return
  Union
    DeltaJoin project=(#1, #3)
      %0 » %1[#0 not null]
      %1 » %0[#0 not null]
      Get l0
      Source notes
    Mfp project=(#0, #1)
      compute null
      Union
        Mfp project=(#1)
          keep #1 = "EU"
          Source customers
        Negate
          DeltaJoin project=(#1)
            %0 » %1[#0]
            %1 » %0[#0]
            Get l0
            Distinct
              Mfp project=(#0)
                keep #0 IS NOT NULL
                Source notes

-- No equality: a cross product with a filter above.
SELECT 1 FROM orders o JOIN notes n ON o.total > 10 AND o.customer < n.customer;
[plan]>
Project (#5)
  Map (1)
    Filter (#2 > 10::numeric) AND (#1 < #3)
      CrossJoin
        Get materialize.public.orders
        Get materialize.public.notes
[opt]>
Project (#2)
  Map (1)
    Filter (#0 < #1)
      CrossJoin
        Project (#0)
          Filter (#1 > 10)
            Project (#1, #2)
              Get materialize.public.orders
        Project (#0)
          Get materialize.public.notes
[flow]>
Mfp project=(#2)
  keep #0 < #1
  compute 1
  DeltaJoin project=(#0, #1)
    %0 » %1[]×
    %1 » %0[]×
    Mfp project=(#1)
      keep #2 > 10
      Source orders
    Source notes

CREATE INDEX by_customer ON orders (customer);

-- With an index on the key the whole collection's arrangement is shared.
SELECT c.region, o.total FROM orders o JOIN customers c ON o.customer = c.id;
[plan]>
Project (#4, #2)
  Filter (#1 = #3)
    CrossJoin
      Get materialize.public.orders
      Get materialize.public.customers
[opt]>
Project (#3, #1)
  Join on=(#0 = #2)
    Project (#1, #2)
      Get materialize.public.orders
    Get materialize.public.customers
[flow]>
DeltaJoin project=(#4, #2)
  %0 » %1[#0]
  %1 » %0[#1]
  Source orders
  Source customers
