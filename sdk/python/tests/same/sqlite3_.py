import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table t (id integer primary key, name text, score real)")
db.executemany("insert into t (name, score) values (?, ?)", [("a", 1.5), ("b", 2.5), ("a", 3.0)])
print(db.execute("select name, sum(score), count(*) from t group by name order by name").fetchall())
print(db.execute("with recursive c(n) as (select 1 union all select n + 1 from c where n < 5) select sum(n) from c").fetchone())
try:
    db.execute("select * from nothing")
except sqlite3.OperationalError as error:
    print(error)
