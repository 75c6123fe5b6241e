package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class SqlOutlineTest {
    private static void check(String text, String outline) {
        assertEquals(outline, SqlOutline.of(text));
    }

    @Test
    void a_text_without_values_stays() {
        check("insert into t (a, b1) values (?, ?)", "insert into t (a, b1) values (?, ?)");
        check("update \"order\" set `x` = ? where id = :id", "update \"order\" set `x` = ? where id = :id");
        check("", "");
    }

    @Test
    void values_do_not_show() {
        check("insert into t values ('alice', 4111, 1.5)", "insert into t values (?, ?, ?)");
        check("update t set a = 'it''s' where b1 = -7", "update t set a = ? where b1 = -?");
        check("update t set a = 'x\\'y' where b = 'secret'", "update t set a = ?…");
        check("update t set a = 'open", "update t set a = ?…");
        check("insert into t values ($$secret$$)", "insert into t values (?…");
    }

    @Test
    void comments_and_space_are_left_out() {
        check("  /* 42 */ delete\n\t from t -- secret\n where a = 1 /* open", "delete from t where a = ?");
    }

    @Test
    void it_is_short() {
        assertEquals(501, SqlOutline.of("insert into t values " + "(?), ".repeat(1_000)).length());
    }
}
