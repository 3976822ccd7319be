-- What pgbench reads back: \gset, \aset, and a branch on it.
\set aid random(1, 1000)
SELECT :aid * 2 AS twice \gset
\if :twice > 1000
    SELECT sum(abalance) AS low FROM pgbench_accounts WHERE aid < :aid \aset
\else
    SELECT abalance FROM pgbench_accounts WHERE aid = :twice;
\endif
UPDATE pgbench_tellers SET tbalance = tbalance + :twice WHERE tid = 1 + :aid % 10;
