package dev.mirror.snapshot.spring;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.util.RawValue;
import dev.mirror.snapshot.document.ValueCodec;
import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Elements of one read, each encoded when it comes, so that what changes a moment later does not leak in. Holds no more of
 * them than a document may.
 */
final class RecordedElements {
    /** As what they are recorded. */
    static final Type LIST = new TypeReference<List<Object>>() {}.getType();

    private final ValueCodec codec;
    private final Type type;
    private final int most;
    private final Consumer<List<Object>> recorder;
    /** Null when they were recorded. A cancellation may come from another thread than the elements. */
    private @Nullable List<Object> elements = new ArrayList<>();
    private int bytes;

    RecordedElements(ValueCodec codec, Type type, int most, Consumer<List<Object>> recorder) {
        this.codec = codec;
        this.type = type;
        this.most = most;
        this.recorder = recorder;
    }

    synchronized void add(Object element) {
        if (elements == null) {
            return;
        }
        try {
            byte[] encoded = codec.encode(element, type, most - bytes);
            elements.add(new RawValue(new String(encoded, StandardCharsets.UTF_8)));
            bytes += encoded.length + 1;
        } catch (IOException | RuntimeException | StackOverflowError | LinkageError unfit) {
            // Too large, or of no form: the recording meets the same and says which.
            elements.add(element);
            record();
        }
    }

    synchronized void record() {
        if (elements != null) {
            List<Object> all = elements;
            elements = null;
            recorder.accept(all);
        }
    }
}
