package dev.mirror.snapshot.document;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZonedDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class ValueCodecTest {
    private final ValueCodec codec = new ValueCodec();

    record Stock(long product, int left, BigDecimal price, Optional<String> note, Instant at) {}

    /** As JPA has them: private fields, getters that compute, no setters. */
    static class Entity {
        private String name;
        private transient int cached = 7;

        Entity() {}

        Entity(String name) {
            this.name = name;
        }

        public String getName() {
            return "computed " + name;
        }

        public int getLength() {
            return name.length();
        }
    }

    static final class Sealed {
        private final int number;
        private final List<String> names;

        Sealed(int number, List<String> names) {
            this.number = number;
            this.names = names;
        }
    }

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME)
    @JsonSubTypes({@JsonSubTypes.Type(value = Cat.class, name = "cat"), @JsonSubTypes.Type(value = Dog.class, name = "dog")})
    interface Animal {}

    record Cat(int lives) implements Animal {}

    record Dog(String name) implements Animal {}

    record Pair(long user, long product) {}

    enum Colour { RED }

    @SuppressWarnings("unchecked")
    private <T> T back(T value, Type type) throws IOException {
        return (T) codec.decode(codec.encode(value, type, 10_000), type);
    }

    private <T> void check(T value, Type type) throws IOException {
        assertEquals(value, back(value, type));
    }

    @Test
    void values_come_back_as_they_were() throws IOException {
        check(new Stock(1L << 60, -1, new BigDecimal("1.50"), Optional.of("x"), Instant.ofEpochSecond(7, 123_456_789)), Stock.class);
        check(new Stock(0, 0, null, Optional.empty(), null), Stock.class);
        check("ä😀", String.class);
        check(0.1f, Float.class);
        check(1.0e-300, Double.class);
        check(Double.NaN, Double.class);
        check(UUID.randomUUID(), UUID.class);
        check(LocalDate.of(2026, 2, 28), LocalDate.class);
        check(ZonedDateTime.parse("2026-03-29T02:30:00+02:00"), ZonedDateTime.class);
        check(Colour.RED, Colour.class);
        check(7, int.class);
        check(List.of(Optional.of(1), Optional.<Integer>empty()), new TypeReference<List<Optional<Integer>>>() {}.getType());
        check(Map.of("a", List.of(1L)), new TypeReference<Map<String, List<Long>>>() {}.getType());
        check(Arrays.asList(new Cat(9), new Dog("Rex"), null), new TypeReference<List<Animal>>() {}.getType());
        assertArrayEquals(new byte[] {0, -1}, back(new byte[] {0, -1}, byte[].class));
        check(Optional.of(new Cat(7)), new TypeReference<Optional<Cat>>() {}.getType());
    }

    @Test
    void null_and_an_empty_optional_are_kept_by_their_type() throws IOException {
        assertNull(back(null, Stock.class));
        assertNull(back(null, Void.class));
        assertEquals(Optional.empty(), back(Optional.empty(), new TypeReference<Optional<Stock>>() {}.getType()));
    }

    @Test
    void an_object_is_its_fields() throws IOException {
        Entity entity = back(new Entity("a"), Entity.class);
        assertEquals("a", entity.name);
        Sealed sealed = back(new Sealed(3, List.of("x")), Sealed.class);
        assertEquals(3, sealed.number);
        assertEquals(List.of("x"), sealed.names);
    }

    @Test
    void what_is_above_the_limit_is_never_built_whole() throws IOException {
        String text = "x".repeat(5_000);
        assertEquals(5_002, codec.encode(text, String.class, 5_002).length);
        assertThrows(ValueCodec.TooLargeException.class, () -> codec.encode(text, String.class, 5_001));
        Iterable<String> endless = () -> java.util.stream.Stream.generate(() -> text).iterator();
        assertThrows(ValueCodec.TooLargeException.class, () -> codec.encode(endless, Iterable.class, 100_000));
    }

    static class Loop {
        Loop self = this;
    }

    @Test
    void what_cannot_be_encoded_fails_with_an_io_error() {
        assertThrows(IOException.class, () -> codec.encode(new Object(), Object.class, 1000));
        assertThrows(IOException.class, () -> codec.encode(new Loop(), Loop.class, 1_000_000));
    }

    @Test
    void keys_are_texts_that_a_person_can_read() throws IOException {
        assertEquals("17", codec.key(17L));
        assertEquals("a b", codec.key("a b"));
        assertEquals("RED", codec.key(Colour.RED));
        assertEquals("null", codec.key(null));
        assertEquals("[1,\"a\",null]", codec.key(Arrays.asList(1, "a", null)));
        assertEquals("{\"user\":1,\"product\":2}", codec.key(new Pair(1, 2)));
    }
}
