package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** No text is a read in which any of the databases' lexers finds a write. */
@Tag("once")
class SqlModelTest {
    private static final int ROUNDS = 400_000;

    private static final String DELETE = "; delete from t;";

    private static final List<List<String>> THEMES = List.of(List.of("\"", "\"\"", "\"\"\""), List.of("'", "''", "'''"), List.of("`", "``", "\\"),
            List.of("[", "]", "]]", "[a]"), List.of("{", "}"), List.of("\\", "e'", " e'\\'a'", "'\\'"), List.of("\\", " r'", " r'\\'", "'a\\'"), List.of("--", "-- ", "--x", "\n"),
            List.of("-- ", "\n", "\r", "\r\n"), List.of("#", "\n"), List.of("//", "\n"), List.of("/*", "*/"), List.of("/*", "/*!", "*/"),
            List.of("$$", "$a$", "$"), List.of("q'[", "]'", " q'["), List.of("1", "a", "(", ")", ","), List.of(" delete from t ", "delete from t"));

    @Test
    void what_any_database_takes_for_a_write_is_one() {
        long seed = System.nanoTime();
        System.out.println("SqlModelTest seed " + seed);
        Random random = new Random(seed);
        int reads = 0;
        int hidden = 0;
        for (int round = 0; round < ROUNDS; round++) {
            String text = text(random);
            boolean read = Sql.isRead(text);
            reads += read ? 1 : 0;
            hidden += read && text.contains("delete") ? 1 : 0;
            for (DialectModel dialect : DialectModel.ALL) {
                assertFalse(read && dialect.deletes(text), () -> "seed " + seed + ", " + dialect.name() + ": " + text);
            }
        }
        System.out.println("of " + ROUNDS + " texts " + reads + " are reads, " + hidden + " of them with a write in quotes or a comment");
        assertTrue(reads > ROUNDS / 20 && hidden > ROUNDS / 1_000, "the texts must be worth the test: " + reads + ", " + hidden);
    }

    /** About two things only: what is rare in all texts is often in some. */
    private static String text(Random random) {
        List<String> pieces = new ArrayList<>(List.of(DELETE, "'", " "));
        pieces.addAll(THEMES.get(random.nextInt(THEMES.size())));
        pieces.addAll(THEMES.get(random.nextInt(THEMES.size())));
        StringBuilder text = new StringBuilder("select ");
        int length = 2 + random.nextInt(12);
        for (int i = 0; i < length; i++) {
            text.append(pieces.get(random.nextInt(pieces.size())));
        }
        return text.toString();
    }
}
