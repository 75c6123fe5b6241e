package dev.mirror.snapshot.spring.recorded;

import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/**
 * How the result of an annotated method is recorded and served.
 *
 * @param name of the read or write
 * @param isWrite whether it is a write
 * @param arguments what they are
 * @param form how the result comes
 * @param type what is recorded: the result, or what a future or publisher gives
 * @param misuse why it can be neither recorded nor served, and what to do; null where it can
 */
record RecordedMethod(String name, boolean isWrite, Arguments arguments, Form form, Type type, @Nullable String misuse) {
    /** How a result comes. */
    enum Form {
        /** As it is. */
        VALUE,
        /** In a {@code CompletionStage} or {@code CompletableFuture}. */
        STAGE,
        /** In a {@code Mono}. */
        MONO,
        /** In a {@code Flux}. */
        FLUX
    }
}
