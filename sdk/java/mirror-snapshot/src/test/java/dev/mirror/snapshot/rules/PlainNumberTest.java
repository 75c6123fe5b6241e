package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PlainNumberTest {
    private static final long SEED = 20261124;

    private static void check(String literal, String text) {
        assertEquals(text, PlainNumber.of(literal), literal);
    }

    @Test
    void numbers_are_their_exact_value_in_plain_notation() {
        check("0", "0");
        check("-0", "0");
        check("-0.0e5", "0");
        check("0e999999999999999999999", "0");
        check("1.0", "1");
        check("1e3", "1000");
        check("1E+03", "1000");
        check("1.5E-3", "0.0015");
        check("-12.340", "-12.34");
        check("0.1e1", "1");
        check("100", "100");
        check("123456789012345678901234567890", "123456789012345678901234567890");
    }

    @Test
    void what_is_longer_than_64_characters_is_missing() {
        check("1".repeat(64), "1".repeat(64));
        check("1".repeat(65), null);
        check("1e63", "1" + "0".repeat(63));
        check("1e64", null);
        check("-1e63", null);
        check("1e-62", "0." + "0".repeat(61) + "1");
        check("1e-63", null);
        check("1e99999999999999999999", null);
        check("1e-99999999999999999999", null);
        check("1e2147483648", null);
        check("1e000000000000000000000000000003", "1000");
        check("1." + "0".repeat(62), "1");
        check("1." + "0".repeat(63), null);
    }

    @Test
    void any_number_is_what_exact_arithmetic_says() {
        Random random = new Random(SEED);
        for (int n = 0; n < 20_000; n++) {
            StringBuilder literal = new StringBuilder(random.nextBoolean() ? "-" : "");
            literal.append(random.nextInt(3) == 0 ? "0" : Long.toString(random.nextLong() >>> 1 + random.nextInt(60)));
            if (random.nextBoolean()) {
                literal.append('.').append("0".repeat(random.nextInt(4))).append(random.nextInt(100)).append("0".repeat(random.nextInt(3)));
            }
            if (random.nextBoolean()) {
                literal.append(random.nextBoolean() ? 'e' : 'E').append(new String[] {"", "+", "-"}[random.nextInt(3)]).append(random.nextInt(80));
            }
            BigDecimal value = new BigDecimal(literal.toString()).stripTrailingZeros();
            String text = value.signum() == 0 ? "0" : value.toPlainString();
            check(literal.toString(), text.length() > 64 ? null : text);
        }
    }
}
