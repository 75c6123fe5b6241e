package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.List;
import java.util.Locale;
import java.util.Random;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whatever stands between the words of a write, it stays one. */
@Tag("once")
class SqlNoiseTest {
    private static final int ROUNDS = 200_000;

    private static final List<String> WRITES = List.of("insert into t values ( 1 )", "insert t values ( 'a''b' )", "update t set a = 'x'",
            "delete from t", "delete from t where a = ' -- ' and b = '/*'", "merge into t using s on ( a = b ) when matched then delete",
            "truncate table t", "create table x ( a int )", "drop table t", "call p ( )", "exec p", "select * from t for update",
            "select * into x from t", "with a as ( delete from t returning * ) select * from a", "select nextval ( 's' )",
            "set transaction read write", "explain analyze delete from t", "replace into t values ( \"q\" )",
            "values ( nextval ( 's' ) )", "do $$ begin perform 1 ; end $$");

    private static final List<String> NOISE = List.of(" ", "  ", "\n", "\t", "\r\n", "/**/", "/* it's */", "/* \" */", "/* ; */", "/* -- */",
            "-- it's\n", "-- \"\n", "--\n", "-- ; select 1\n", "--tight\n", "# it's\n", "#\n", "/* /* */ */", "/* select 1 */", "/*!*/",
            "/*+ hint */", "\u00a0", "-- /*\n", "-- */\n", "/* $$ */", "/*'*/", "/*''*/", "--'\n", "// it's\n", "/* { */", "/* [ */", "-- `\n");

    private static final List<String> BEFORE = List.of("", "", ";", "select 1;", "select 'a';", "select '\\';", "select 1 ", "select \"x\";", "begin;",
            "/* it's */", "-- it's\n", "select $$a$$;", "select a[1];", "values 1;", "commit;", "select {d '2026-01-01'};", "select `a`;");

    private static final List<String> BEHIND = List.of("", "", ";", "; select 1", " -- it's", " -- '", " /* \" */", "; commit", "; -- '\n select 1");

    @Test
    void noise_never_makes_a_read_of_a_write() {
        long seed = System.nanoTime();
        System.out.println("SqlNoiseTest seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            StringBuilder text = new StringBuilder(any(random, BEFORE));
            for (String token : any(random, WRITES).split(" ")) {
                noise(random, text);
                text.append(recased(random, token));
            }
            noise(random, text);
            text.append(any(random, BEHIND));
            assertFalse(Sql.isRead(text.toString()), () -> "seed " + seed + ": " + text);
        }
    }

    private static void noise(Random random, StringBuilder text) {
        int pieces = 1 + random.nextInt(3);
        for (int i = 0; i < pieces; i++) {
            text.append(any(random, NOISE));
        }
    }

    private static String recased(Random random, String token) {
        return switch (random.nextInt(3)) {
            case 0 -> token.toUpperCase(Locale.ROOT);
            case 1 -> token.substring(0, 1).toUpperCase(Locale.ROOT) + token.substring(1);
            default -> token;
        };
    }

    private static String any(Random random, List<String> from) {
        return from.get(random.nextInt(from.size()));
    }
}
