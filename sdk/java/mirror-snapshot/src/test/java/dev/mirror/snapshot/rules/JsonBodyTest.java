package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class JsonBodyTest {
    private static List<String> texts(String body, String... fields) throws NotUnderstood {
        JsonPaths paths = new JsonPaths();
        List<Integer> places = new ArrayList<>();
        for (String field : fields) {
            places.add(paths.place(JsonPath.parse(field)));
        }
        JsonBody json = JsonBody.read(body.getBytes(StandardCharsets.UTF_8), paths);
        List<String> texts = new ArrayList<>();
        places.forEach(place -> texts.add(json == null ? null : json.text(place)));
        return texts;
    }

    private static void check(String body, String field, String text) throws NotUnderstood {
        assertEquals(text, texts(body, field).get(0), body + " at " + field);
    }

    @Test
    void all_fields_are_found_in_one_pass() throws NotUnderstood {
        String body = "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":\"x\"},\"e\":true,\"0\":5}";
        List<String> fields = List.of("a", "a.b", "/a/b", "/a/b/1/c", "a.d", "e", "/0", "0", "a.b.1", "/a/b/0", "e");
        List<String> texts = texts(body, fields.toArray(String[]::new));
        assertEquals("[{\"b\":[1,{\"c\":2}],\"d\":\"x\"}, [1,{\"c\":2}], [1,{\"c\":2}], 2, x, true, 5, 5, null, 1, true]", texts.toString());
    }

    @Test
    void of_members_with_one_name_the_last_counts() throws NotUnderstood {
        check("{\"a\":1,\"a\":2}", "a", "2");
        check("{\"a\":1,\"a\":null}", "a", null);
        check("{\"a\":{\"b\":1},\"a\":3}", "a.b", null);
        check("{\"a\":3,\"a\":{\"b\":1}}", "a.b", "1");
        check("{\"a\":1e999,\"a\":{\"b\":1}}", "a.b", "1");
        check("{\"a\":{\"b\":1,\"b\":2},\"a\":{\"c\":1}}", "a.b", null);
        check("{\"a\":{\"z\":1e999,\"z\":2}}", "a", "{\"z\":2}");
        check("{\"\\u0061\":1}", "a", "1");
    }

    @Test
    void where_a_slice_ends_is_found_in_long_bodies_too() throws NotUnderstood {
        String filler = "\"filler\":\"" + "äx".repeat(50_000) + "\",";
        check("{" + filler + "\"a\" : [ 1 , { \"b\" : 2 } ] , \"c\":[3]}", "a", "[1,{\"b\":2}]");
        check("{" + filler + "\"a\":{\"b\":[1,[" + "2,".repeat(50_000) + "3]]}}", "/a/b/0", "1");
        check("[[" + "2,".repeat(50_000) + "3],[4]]", "/1", "[4]");
    }

    @Test
    void what_is_not_exactly_json_is_none() throws NotUnderstood {
        String[] none = {
            "", " ", "{", "{\"a\":1", "{\"a\":1}x", "{\"a\":1} {}", "{\"a\":1},", "\ufeff{\"a\":1}", "{'a':1}", "{a:1}", "{\"a\":1,}", "{\"a\":1,\"b\":[1,]}",
            "{\"a\":1/**/}", "{\"a\":1,\"b\":01}", "{\"a\":1,\"b\":+1}", "{\"a\":1,\"b\":.5}", "{\"a\":1,\"b\":1.}", "{\"a\":1,\"b\":NaN}", "{\"a\":1,\"b\":-}",
            "{\"a\":1,\"b\":1e}", "{\"a\":1,\"b\":\"\t\"}", "{\"a\":1,\"\u0000\":2}", "{\"a\":1,\"b\":\"\\x\"}", "{\"a\":1,\"b\":\"\\u12\"}", "{\"a\":1,\"b\":\"\\u12g4\"}",
            "{\"a\":1,\"b\":tru}", "{\"a\":1,\"b\":truex}", "{\"a\":1\u00a0}", "{\"a\":1\u000b}", "{\"a\":1]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}",
        };
        for (String body : none) {
            check(body, "a", null);
        }
        check(" \t\r\n{\"a\":1,\"b\":\"\u007f\\/\\u0000\"} \t\r\n", "a", "1");
    }

    @Test
    void an_unpaired_surrogate_anywhere_makes_it_none() throws NotUnderstood {
        String[] lone = {"\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud83d\ud83d\ude00", "\\ud83d\\ud83d\\ude00", "\\uD83D\\\\uDE00", "\\ud83d\\n", "x\\udfff"};
        for (String text : lone) {
            check("{\"a\":1,\"b\":\"" + text + "\"}", "a", null);
            check("{\"a\":1,\"" + text + "\":[]}", "a", null);
        }
        String[] paired = {"\\ud83d\\ude00", "\\uD83D\\uDE00x", "\\\\ud800", "\\u0075d800", "\ud83d\ude00"};
        for (String text : paired) {
            check("{\"a\":1,\"b\":\"" + text + "\"}", "a", "1");
        }
    }

    @Test
    void bytes_that_are_no_utf8_are_none() throws NotUnderstood {
        int[][] bytes = {{0xff}, {0xc3}, {0xc0, 0x80}, {0xed, 0xa0, 0x80}, {0xf4, 0x90, 0x80, 0x80}, {0xf8, 0x88, 0x80, 0x80, 0x80}};
        JsonPaths paths = new JsonPaths();
        paths.place(JsonPath.parse("a"));
        for (int[] wrong : bytes) {
            byte[] body = "{\"a\":1,\"b\":\"#####\"}".getBytes(StandardCharsets.UTF_8);
            for (int at = 0; at < wrong.length; at++) {
                body[12 + at] = (byte) wrong[at];
            }
            assertNull(JsonBody.read(body, paths));
        }
        // What stands for such bytes elsewhere may be sent as itself.
        assertNotNull(JsonBody.read("{\"a\":\"\ufffd\"}".getBytes(StandardCharsets.UTF_8), paths));
    }

    @Test
    void depth_is_bounded_and_never_an_error() throws NotUnderstood {
        check("{\"a\":" + "[".repeat(65) + "]".repeat(65) + "}", "a", "[".repeat(65) + "]".repeat(65));
        check("{\"a\":" + "[".repeat(66) + "]".repeat(66) + "}", "a", null);
        check("{\"a\":" + "[".repeat(64) + "1" + "]".repeat(64) + "}", "a", "[".repeat(64) + "1" + "]".repeat(64));
        check("{\"a\":" + "[".repeat(65) + "1" + "]".repeat(65) + "}", "a", null);
        check("{\"a\":1,\"b\":" + "[".repeat(126) + "]".repeat(126) + "}", "a", "1");
        check("{\"a\":1,\"b\":" + "{\"b\":".repeat(1_000_000), "a", null);
        check("[".repeat(1_000_000), "/0/0/0", null);
        check("{\"a\":1,\"b\":" + "[".repeat(500_000) + "]".repeat(500_000) + "}", "a", null);
    }

    @Test
    void lengths_are_not_bounded() throws NotUnderstood {
        String digits = "1".repeat(100_000);
        check("{\"n\":" + digits + ",\"" + digits + "\":0,\"a\":1}", "a", "1");
        check("{\"n\":" + digits + "}", "n", null);
        check("{\"n\":1e" + digits + ",\"a\":1}", "a", "1");
        check("{\"n\":\"" + digits + "\"}", "n", digits);
    }

    @Test
    void members_are_sorted_by_code_points() throws NotUnderstood {
        check("{\"a\":{\"\ud83d\ude00\":1,\"\uffff\":2,\"\ue000\":3,\"é\":4,\"b\":5,\"\":6,\"ba\":7,\"\ud83d\ude01\":8}}", "a",
                "{\"\":6,\"b\":5,\"ba\":7,\"é\":4,\"\ue000\":3,\"\uffff\":2,\"\ud83d\ude00\":1,\"\ud83d\ude01\":8}");
    }

    @Test
    void strings_are_escaped_as_little_as_can_be() throws NotUnderstood {
        check("{\"a\":[\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\u007f\\/\\u2028\\\"\\\\\"]}", "a",
                "[\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\u007f/\u2028\\\"\\\\\"]");
    }
}
