package dev.mirror.snapshot.document;

import com.fasterxml.jackson.annotation.JsonAutoDetect.Visibility;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import com.fasterxml.jackson.module.paramnames.ParameterNamesModule;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Values as JSON and back. Unless told otherwise an object is its fields, without regard to getters and setters, so that
 * the mirror gets what production had.
 */
public final class ValueCodec {
    /** A service reads few types; what comes beyond that is prepared anew each time. */
    private static final int MOST_TYPES = 1000;
    /** Shared by all threads, since a buffer for each would be one for each virtual thread. */
    private static final int POOLED_BUFFERS = 32;

    private final ObjectMapper mapper;
    private final Map<Type, ObjectWriter> writers = new ConcurrentHashMap<>();
    private final Map<Type, ObjectReader> readers = new ConcurrentHashMap<>();

    /** By fields. */
    public ValueCodec() {
        this(byFields());
    }

    /** With a mapper of the service's own. */
    public ValueCodec(ObjectMapper mapper) {
        this.mapper = mapper;
    }

    private static ObjectMapper byFields() {
        JsonFactory factory = JsonFactory.builder().recyclerPool(JsonRecyclerPools.newBoundedPool(POOLED_BUFFERS)).build();
        return JsonMapper.builder(factory)
                .addModules(new Jdk8Module(), new JavaTimeModule(), new ParameterNamesModule())
                .visibility(PropertyAccessor.ALL, Visibility.NONE)
                .visibility(PropertyAccessor.FIELD, Visibility.ANY)
                .visibility(PropertyAccessor.CREATOR, Visibility.ANY)
                .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS, SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
                .disable(DeserializationFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .build();
    }

    /**
     * @param type as which the service reads it
     * @param most bytes
     * @throws TooLargeException where it takes more than that
     * @throws IOException where it cannot be encoded
     */
    public byte[] encode(@Nullable Object value, Type type, int most) throws IOException {
        Bounded out = new Bounded(most);
        prepared(writers, type, of -> mapper.writerFor(mapper.constructType(of))).writeValue(out, value);
        return out.toByteArray();
    }

    /**
     * @return null for JSON's null, but empty for an {@link Optional}
     * @throws IOException where it is not of this type
     */
    public @Nullable Object decode(byte @Nullable [] json, Type type) throws IOException {
        return prepared(readers, type, of -> mapper.readerFor(mapper.constructType(of))).readValue(json);
    }

    private static <T> T prepared(Map<Type, T> known, Type type, Function<Type, T> prepare) {
        T there = known.get(type);
        if (there == null) {
            there = prepare.apply(type);
            if (known.size() < MOST_TYPES) {
                known.put(type, there);
            }
        }
        return there;
    }

    /** The text of a key: a string as it is, a number or another simple value as it is written, anything else as JSON. */
    public String key(@Nullable Object key) throws JsonProcessingException {
        if (key instanceof CharSequence || key instanceof Number || key instanceof Boolean || key instanceof Enum<?>
                || key instanceof java.util.UUID || key instanceof Character) {
            return key.toString();
        }
        return key == null ? "null" : mapper.writeValueAsString(key);
    }

    /** What it takes is above the limit. */
    public static final class TooLargeException extends IOException {
        private static final long serialVersionUID = 1;

        TooLargeException() {
            super("above the limit");
        }
    }

    private static final class Bounded extends OutputStream {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(128);
        private final int most;

        Bounded(int most) {
            this.most = most;
        }

        @Override
        public void write(byte[] from, int start, int length) throws IOException {
            if (bytes.size() + length > most) {
                throw new TooLargeException();
            }
            bytes.write(from, start, length);
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        byte[] toByteArray() {
            return bytes.toByteArray();
        }
    }
}
