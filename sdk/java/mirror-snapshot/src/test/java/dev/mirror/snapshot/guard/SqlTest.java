package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class SqlTest {
    private static void reads(String... texts) {
        for (String text : texts) {
            assertEquals(true, Sql.isRead(text), "a read: " + text);
        }
    }

    private static void writes(String... texts) {
        for (String text : texts) {
            assertEquals(false, Sql.isRead(text), "a write: " + text);
        }
    }

    @Test
    void queries_are_reads() {
        reads("select 1", "SELECT * FROM t", "Select a.b, c AS d from x.t a where a.b = ? and c <> 'x' order by 1 desc limit 5",
                "select 1;", "select 1; select 2;", "\n\t select\n1\r\n", "(select 1) union all (select 2)", "((select 1))",
                "values 1, 2", "VALUES (1, 'a')", "table t", "with a as (select 1) select * from a",
                "with recursive a(n) as (values (1) union all select n + 1 from a where n < 9) select * from a",
                "select count(*) from t having count(*) > 1", "select 1 from dual", "select 1 from sysibm.sysdummy1",
                "select * from t where a in (?, ?, ?) and b between ? and ?", "select :name, ?1, $1, @@version, a::text",
                "select 1 offset 2 rows fetch next 5 rows only", "select substring(a from 2 for 3) from t",
                "select currval('s')", "select * from t as of system time '-1s'", "select * from t with (nolock)",
                "select größe, naïve from straße", "select a from t for read only", "select a from t for json auto");
    }

    @Test
    void functions_called_like_statements_are_reads() {
        reads("select replace(a, 'x', 'y') from t", "select truncate(1.55, 1)", "select insert('abc', 1, 1, 'x')",
                "select REPLACE /* here */ (a, b, c) from t");
    }

    @Test
    void words_of_a_write_within_other_words_are_reads() {
        reads("select updated_at, deleted, is_deleted, inserted_by, dropped, created, altered from settings",
                "select call_id, executed, locked, offset_in, share, value, next from callers", "select intox from t_into");
    }

    @Test
    void words_of_a_write_in_quotes_are_reads() {
        reads("select 'delete from t'", "select \"delete\", \"update\" from \"insert\"", "select `delete` from `update`",
                "select [delete], [Order Details] from [update]", "select 'it''s; drop table t'", "select 'a' 'update t' from t",
                "select N'update', x'00', b'1', _utf8'drop'", "select e'update\\n', E'\\\\' from t", "select 'a -- update' from t",
                "select 'a /* update'", "select '# drop', '// drop', '$$ drop', '[', '{', '`', '\"'");
    }

    @Test
    void words_of_a_write_in_comments_are_reads() {
        reads("/* update t */ select 1", "select 1 -- delete from t", "-- it's; drop table t\nselect 1",
                "select /*+ index(t i) */ 1", "select 1 /*traceparent='00-abc-01'*/", "/* ping */ select 1", "-- a\r\nselect 1",
                "select 1 --", "/**/select/**/1/**/", "/* a * b / c ** */ select 1");
    }

    @Test
    void nothing_passes() {
        reads("", " ", ";", ";;\n", "-- nothing", "/* nothing */", "--");
    }

    @Test
    void what_tells_about_the_database_is_a_read() {
        reads("show tables", "SHOW server_version", "show create table t", "show transaction isolation level", "describe t", "desc t",
                "explain select 1", "explain verbose select 1", "explain (format json, costs) select * from t",
                "explain format=json select 1", "explain query plan select 1", "describe select 1", "explain t");
    }

    @Test
    void plans_that_run_or_are_kept_are_writes() {
        writes("explain analyze select 1", "explain (analyze, buffers) select 1", "explain (ANALYZE true) delete from t",
                "explain analyse delete from t", "desc analyze select 1", "explain delete from t", "explain plan for select 1",
                "explain plan set statement_id = 'select' for select 1", "explain all for select 1", "explain (\"analyze\") select 1",
                "explain update t set a = 1", "show delete", "show x delete from t");
    }

    @Test
    void statements_that_change_something_are_writes() {
        writes("insert into t values (1)", "INSERT t VALUES (1)", "update t set a = 1", "delete from t", "merge into t using s on 1 = 1",
                "truncate table t", "truncate t", "replace into t values (1)", "upsert into t values (1)", "create table t (a int)",
                "create temporary table t (a int)", "alter table t add b int", "drop table t", "rename table a to b",
                "grant select on t to u", "revoke select on t from u", "comment on table t is 'x'", "analyze t", "vacuum", "reindex t",
                "cluster t", "refresh materialized view v", "copy t from stdin", "copy (select 1) to '/tmp/x'",
                "load data infile 'x' into table t", "import foreign schema s", "notify c", "listen c", "unlisten *", "discard all",
                "reset all", "optimize table t", "flush tables", "kill 5", "shutdown", "checkpoint", "lock table t", "lock tables t read",
                "unlock tables", "handler t open", "use other", "pragma user_version = 1", "attach 'x' as y", "backup to 'x'",
                "script to 'x'", "runscript from 'x'", "security label on table t is 'x'", "do $$ begin end $$", "do sleep(1)",
                "declare c cursor for select 1", "fetch c", "move c", "close c", "prepare p as delete from t", "execute p", "deallocate p",
                "xa commit 'x'", "purge recyclebin", "receive * from q", "waitfor delay '1'", "if 1 = 1 delete from t",
                "while 1 = 1 select 1", "begin delete from t end", "from t insert overwrite table s select *", "alter session set a = 1",
                "select 1; unknown", "unknown");
    }

    @Test
    void calls_are_writes() {
        writes("call p()", "{call p()}", "{? = call p(?)}", "exec p", "execute p", "EXECUTE ('delete from t')", "begin p(); end;",
                "begin p; end;", "begin work; end;", "declare x int; begin p; end;", "sp_who", "dbo.p 1", "[dbo].[p]", "\"p\" 1");
    }

    @Test
    void queries_that_write_are_writes() {
        writes("select * into t2 from t", "select 1 into outfile '/tmp/x'", "select 1 into @a", "select into t2 from t",
                "with a as (delete from t returning *) select * from a", "with a as (insert into t values (1)) select 1",
                "with a as (select 1) update t set b = 1", "with a as (select 1) delete from t", "with a as (select 1) merge into t",
                "select * from final table (insert into t values (1))", "select * from (update t set a = 1)", "table t into outfile 'x'",
                "with function f return number is begin delete from t; return 1; end; select f from dual", "values 1 into x",
                "select 1; delete from t", "select 1;delete from t;select 2", ";;delete from t", "(delete from t)", "((((update t",
                "(show tables)", "(commit)", "(", "select set(@a, 1)");
    }

    @Test
    void a_second_statement_without_a_semicolon_is_a_write() {
        writes("select 1 delete from t", "select 1 insert t values (1)", "select 1 exec p", "select 'a'delete from t",
                "select 1delete from t", "select 1.delete from t", "select 1e5delete from t", "select 0x1exec p", "select a\"b\"update t",
                "select [a]update t", "select (1)drop table t", "select $delete from t", "select @a drop table t", "select 1 truncate table t",
                "set nocount on delete from t", "set nocount on exec p", "commit delete from t", "begin tran update t set a = 1",
                "save tran a", "select 1 dbcc x", "select 1 kill 5", "select 1 backup database x", "select\u00a01\u00a0delete\u00a0from t",
                "select a\u00a0delete from t", "show a exec p", "select * from \uff54 update t");
    }

    @Test
    void locks_are_writes() {
        writes("select * from t for update", "select * from t FOR UPDATE OF t NOWAIT", "select * from t for share",
                "select * from t for no key update", "select * from t for key share", "select * from t for/**/share skip locked",
                "select * from t where a = 1for share", "select * from t lock in share mode", "select * from t with (updlock)",
                "select * from t with (xlock, rowlock)", "select * from t with (tablockx)", "select * from t with lock",
                "select * from t with rs use and keep update locks", "begin immediate", "begin exclusive transaction");
    }

    @Test
    void functions_that_are_known_to_write_are_writes() {
        writes("select nextval('s')", "select NEXTVAL ('s')", "select s.nextval from dual", "select next value for s",
                "select nextval for s from sysibm.sysdummy1", "select \"nextval\"('s')", "select pg_catalog.setval('s', 1)",
                "select \"pg_catalog\".\"setval\"('s', 1)", "select set_config('a', 'b', false)", "select pg_advisory_lock(1)",
                "select pg_try_advisory_xact_lock(1)", "select pg_notify('c', 'x')", "select lo_import('/x')", "select lo_unlink(5)",
                "select lo_create (0)", "select dblink_exec('x', 'y')", "select * from dblink('a', 'b')", "select pg_terminate_backend(1)",
                "select pg_logical_emit_message(true, 'a', 'b')", "select pg_create_restore_point('x')", "select get_lock('a', 1)",
                "select release_lock('a')", "select csvwrite('x', 'select 1')", "select file_write('a', 'b')",
                "select * from openquery(s, 'delete from t')", "select * from [openrowset]('a')", "select `get_lock`('a', 1)",
                "values (nextval('s'))", "with a as (select nextval('s')) select * from a", "select a[nextval('s')]",
                "select {fn nextval('s')}", "select dbms_lock.sleep(1) from dual", "select load_extension('x')", "select gen_id(g, 1) from rdb$database", "show nextval",
                "explain select nextval('s')");
        reads("select lo_x, a_nextval from t", "select 'nextval'");
    }

    @Test
    void transactions_may_begin_and_end() {
        reads("begin", "BEGIN;", "begin work", "begin transaction", "begin tran", "begin transaction isolation level serializable, read only",
                "begin read only", "start transaction", "start transaction with consistent snapshot, read only", "commit", "commit work",
                "commit and no chain", "rollback", "rollback work", "rollback to a", "rollback to savepoint \"a\"",
                "rollback transaction to savepoint a", "savepoint a", "release a", "release savepoint a", "begin; select 1; commit;");
        writes("begin read write", "start transaction read write", "start slave", "start", "commit prepared 'x'", "rollback prepared 'x'",
                "commit force 'x'", "commit tran a", "savepoint", "savepoint a b", "savepoint delete", "release", "rollback to",
                "rollback to a b", "end", "abort", "prepare transaction 'x'", "begin atomic", "commit 'x'");
    }

    @Test
    void few_settings_of_a_session_pass() {
        reads("set search_path to a, \"b\", public", "SET search_path = 'x'", "set local search_path to a", "set schema x", "set schema 'x'",
                "set current schema = x", "set time zone 'UTC'", "set local time zone -3", "set timezone to 'UTC'", "set time_zone = '+00:00'",
                "set session statement_timeout = 5000", "set lock_timeout 100", "set names utf8mb4", "set names 'utf8' collate 'utf8_bin'",
                "set application_name = 'x'", "set extra_float_digits = 3", "set autocommit = 1", "set nocount on",
                "set transaction isolation level read committed", "set transaction read only", "set session transaction read only",
                "set session characteristics as transaction read only, isolation level serializable");
        writes("set transaction read write", "set session transaction read write", "set session characteristics as transaction read write",
                "set default_transaction_read_only = off", "set transaction_read_only = off", "set session_replication_role = replica",
                "set role admin", "set session authorization x", "set global read_only = 0", "set @@global.read_only = 0", "set @a = 1",
                "set sql_mode = 'ANSI_QUOTES'", "set standard_conforming_strings = off", "set names gbk", "set names", "set",
                "set client_encoding = 'SJIS'", "set autocommit = 1, global read_only = 0", "set names utf8, global read_only = 0",
                "set session autocommit = 1, session transaction read write", "set time_zone = (select nextval('s'))",
                "set search_path = a, b = c", "set search_path = a, transaction read write", "set statement_timeout = f()", "set mode mysql",
                "set password = 'x'", "set identity_insert t on", "set foreign_key_checks = 0", "set persist x = 1",
                "set statement max_statement_time = 1 for delete from t", "set time_zone = 'x' exec p");
    }

    @Test
    void backslashes_are_read_both_ways() {
        reads("select * from t where a like ? escape '\\'", "select * from t where a like ? escape '\\' or b like ? escape '\\'",
                "select 'C:\\dir\\'", "select 'it\\'s'", "select 'a\\\\', 'b'", "select '\\d+', e'\\n'", "select \"a\\b\"");
        writes("select '\\'; delete from t; --'", "select '\\'; delete from t; --", "select 'a\\'' ; delete from t ; -- '",
                "select '\\\\\\'; delete from t; -- '", "select \"\\\"; delete from t; -- \"", "select \"a\\\" from t",
                "select e'\\'; delete from t; --'", "select E'a\\'b' from t", "select e'\\'x', '\\'; delete from t; '", "select `\\`; delete from t; -- `",
                "select '\\' || e'\\'; delete from t; --'");
    }

    @Test
    void comments_that_databases_read_differently_are_writes() {
        reads("select 1 --x\n", "select a --users by id\nfrom t", "select data #>> '{a,b}', 5 # 3 from t", "select a # all\nfrom #t");
        writes("/*! delete from t */", "select 1 /*!50000 into outfile 'x' */", "select /*M! 1 */", "select /*!1*/ 1",
                "select /* /* */ 1 */", "/* /* */ delete from t -- */", "select 1 /* open", "select 1 // x",
                "select 1 --'\n; delete from t --'", "select 1 --1; delete from t", "select 1--'\r\n;delete from t;--'",
                "select 1 # '\n; delete from t -- '", "select 1 # \n for share", "select 1 for # x\n share", "select 1 -- x\rdelete from t",
                "select 1 -- x\u2028 delete from t", "select 1\rdelete", "select 1 -- x\u0085", "select # ; \n delete from t");
    }

    @Test
    void quotes_that_databases_read_differently_are_writes() {
        reads("select $$plain words$$", "select $a$plain, 'words'$a$, $1", "select v$session.sid from v$session", "select a[1], b[i + 1], m['k']",
                "select array['a', 'it''s', ?]", "select {ts '2026-01-01 10:00:00.5'}, {fn concat(a, 'b')} from {oj a left outer join b on a.i = b.i}",
                "select `a b`, `p-1`.`d`.t", "select ''", "select '', ''", "select \"\", ``", "select 'a''b', \"a\"\"b\"");
        writes("select $$ ' $$; delete from t; --'", "select $a$ $$ ' $a$", "select $$ delete from t $$", "select $$open", "select $a$ $b$",
                "select $$it's$$", "select $a$ -- $a$", "select ` ' `; delete from t --'", "select `a", "select `a``b'", "select [a']; delete from t --']",
                "select [a]]; delete from t --]", "select a[b[1]]", "select [a", "select m['a]'; delete from t --'", "select [\"a]", "select [drop table]",
                "select { ' } ; delete from t { ' }", "select {call p()}", "select {a", "select {escape '\\'}", "select q'[ ' ]'; delete from t --'",
                "select Q'x'", "select nq'{a}'", "select r'\\'; delete from t --'", "select rb'x'", "select u&'\\0061'", "select U&\"\\006eextval\"('s')",
                "select ''' ' '''; delete from t --'", "select '''quoted'''", "select \"\"\" \" \"\"\"; delete from t --\"", "select ''''",
                "select 'open", "select \"open", "select 1'a'");
    }

    @Test
    void odd_characters_are_writes() {
        writes("select 1\0", "\0select 1", "select '\0'", "select 1\u0001", "select 1\u000b", "select 1\f", "select \u007f", "\ufeffselect 1",
                "\u00e9select 1", "w\u0131th a", "select 1; \u0131nsert into t", "with a as (select 1) \u0131nsert into t values (1)",
                "select 1 loc\u212a", "select 1 in\u017fert");
        reads("select '\u0131', \"\u212a\" from t");
    }

    @Test
    void long_texts_are_judged_too() {
        String many = "?, ".repeat(100_000);
        reads("select * from t where a in (" + many + "?)", "(".repeat(50_000) + "select 1" + ")".repeat(50_000));
        writes("select * from t where a in (" + many + "?); delete from t");
    }
}
