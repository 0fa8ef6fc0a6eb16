-- The Nexmark queries as views over all of the stream, exact at every moment: where the streaming original closes a
-- window by a watermark, the view keeps every window. q12 asks for windows of processing time, which no function of the
-- input has: it stands here with windows of event time. q13 joins a small table of its own, `side`. Every ORDER BY is
-- total, so that ties have one answer.

-- q0
SELECT auction, bidder, price, date_time, extra FROM bid

-- q1
SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid

-- q2
SELECT auction, price FROM bid WHERE auction % 123 = 0

-- q3
SELECT p.name, p.city, p.state, a.id
FROM auction a JOIN person p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')

-- q4
SELECT category, sum(final) / count(*) AS average
FROM (
    SELECT max(b.price) AS final, a.category
    FROM auction a JOIN bid b ON a.id = b.auction
    WHERE b.date_time BETWEEN a.date_time AND a.expires
    GROUP BY a.id, a.category) AS winning
GROUP BY category

-- q5
WITH counts AS (
    SELECT auction, starts, count(*) AS num
    FROM (SELECT auction, date_bin_hopping('2 seconds', '10 seconds', date_time) AS starts FROM bid) AS hopping
    GROUP BY auction, starts)
SELECT counts.auction, counts.num, counts.starts
FROM counts JOIN (SELECT starts, max(num) AS most FROM counts GROUP BY starts) AS hottest
    ON counts.starts = hottest.starts AND counts.num >= hottest.most

-- q6
SELECT id, seller, avg(price) OVER (PARTITION BY seller ORDER BY date_time, id ROWS 10 PRECEDING) AS average
FROM (
    SELECT a.id, a.seller, b.price, b.date_time,
        row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder) AS place
    FROM auction a JOIN bid b ON a.id = b.auction
    WHERE b.date_time BETWEEN a.date_time AND a.expires) AS bids
WHERE place = 1

-- q7
SELECT b.auction, b.price, b.bidder, b.date_time
FROM bid b JOIN (
    SELECT max(price) AS most, date_bin('10 seconds', date_time) AS starts
    FROM bid
    GROUP BY date_bin('10 seconds', date_time)) AS m
    ON b.price = m.most AND date_bin('10 seconds', b.date_time) = m.starts

-- q8
SELECT p.id, p.name, p.starts
FROM (SELECT DISTINCT id, name, date_bin('10 seconds', date_time) AS starts FROM person) AS p
    JOIN (SELECT DISTINCT seller, date_bin('10 seconds', date_time) AS starts FROM auction) AS a
    ON p.id = a.seller AND p.starts = a.starts

-- q9
SELECT id, item_name, seller, category, bidder, price, bid_time
FROM (
    SELECT a.id, a.item_name, a.seller, a.category, b.bidder, b.price, b.date_time AS bid_time,
        row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder) AS place
    FROM auction a JOIN bid b ON a.id = b.auction
    WHERE b.date_time BETWEEN a.date_time AND a.expires) AS bids
WHERE place = 1

-- q10
SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD') AS day,
    to_char(date_time, 'HH24:MI') AS minute
FROM bid

-- q11
SELECT bidder, session, count(*) AS bids, min(date_time) AS starts, max(date_time) AS ends
FROM (
    SELECT bidder, date_time,
        sum(opens) OVER (PARTITION BY bidder ORDER BY date_time) AS session
    FROM (
        SELECT bidder, date_time,
            CASE WHEN date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) > INTERVAL '10 seconds'
                THEN 1 ELSE 0 END AS opens
        FROM bid) AS gaps) AS sessions
GROUP BY bidder, session

-- q12
SELECT bidder, count(*) AS bids, date_bin('10 seconds', date_time) AS starts
FROM bid
GROUP BY bidder, date_bin('10 seconds', date_time)

-- q13
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bid b JOIN side s ON b.auction % 10000 = s.key

-- q14
SELECT auction, bidder, 0.908 * price AS price,
    CASE WHEN extract(HOUR FROM date_time) BETWEEN 8 AND 18 THEN 'dayTime'
        WHEN extract(HOUR FROM date_time) <= 6 OR extract(HOUR FROM date_time) >= 20 THEN 'nightTime'
        ELSE 'otherTime' END AS bid_time_type,
    date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000

-- q15
SELECT to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
    count(*) FILTER (WHERE price < 10000) AS rank1_bids,
    count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
    count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
    count(DISTINCT bidder) AS total_bidders,
    count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
    count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
    count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
    count(DISTINCT auction) AS total_auctions,
    count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
    count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
    count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
FROM bid
GROUP BY to_char(date_time, 'YYYY-MM-DD')

-- q16
SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day, max(to_char(date_time, 'HH24:MI')) AS minute,
    count(*) AS total_bids,
    count(*) FILTER (WHERE price < 10000) AS rank1_bids,
    count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
    count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
    count(DISTINCT bidder) AS total_bidders,
    count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
    count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
    count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
    count(DISTINCT auction) AS total_auctions,
    count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
    count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
    count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
FROM bid
GROUP BY channel, to_char(date_time, 'YYYY-MM-DD')

-- q17
SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
    count(*) FILTER (WHERE price < 10000) AS rank1_bids,
    count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
    count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
    min(price) AS min_price, max(price) AS max_price, sum(price) / count(*) AS avg_price, sum(price) AS sum_price
FROM bid
GROUP BY auction, to_char(date_time, 'YYYY-MM-DD')

-- q18
SELECT auction, bidder, price, channel, url, date_time, extra
FROM (
    SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price DESC, extra) AS place
    FROM bid) AS bids
WHERE place <= 1

-- q19
SELECT auction, bidder, price, date_time, place
FROM (
    SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder, extra) AS place
    FROM bid) AS bids
WHERE place <= 10

-- q20
SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra, a.item_name, a.description, a.initial_bid,
    a.reserve, a.date_time AS opened, a.expires, a.seller, a.category
FROM bid b JOIN auction a ON b.auction = a.id
WHERE a.category = 10

-- q21
SELECT auction, bidder, price, channel,
    CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
        WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
        ELSE split_part(split_part(url, 'channel_id=', 2), '&', 1) END AS channel_id
FROM bid
WHERE split_part(url, 'channel_id=', 2) <> '' OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')

-- q22
SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2,
    split_part(url, '/', 6) AS dir3
FROM bid
