package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.recorded.RecordedMethod.Form;
import java.io.InputStream;
import java.io.Reader;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.stream.BaseStream;
import org.springframework.core.GenericTypeResolver;
import org.springframework.core.KotlinDetector;

/** What a method gives, as its user's class or interface makes it concrete. */
final class ResultForms {
    private static final List<Class<?>> READ_ONCE =
            List.of(BaseStream.class, InputStream.class, Reader.class, Iterator.class, Future.class, AutoCloseable.class);
    private static final String MONO = "reactor.core.publisher.Mono";
    private static final String FLUX = "reactor.core.publisher.Flux";
    private static final String PUBLISHER = "org.reactivestreams.Publisher";

    private ResultForms() {}

    /**
     * @param in the class or interface that the bean is used as, which says what type variables stand for
     */
    static RecordedMethod of(String name, boolean isWrite, Method method, Class<?> in) {
        Class<?> raw = method.getReturnType();
        Type result = GenericTypeResolver.resolveType(method.getGenericReturnType(), in);
        if (!isWrite && !Arguments.of(method).written().isEmpty()) {
            return misused(name, false, method, "it has an argument with @WrittenValue and is no write: remove that, or annotate the method with"
                    + " @RecordedWrite");
        }
        if (KotlinDetector.isSuspendingFunction(method)) {
            return misused(name, isWrite, method, "suspending functions cannot be recorded: record what they call");
        }
        if (raw == CompletionStage.class || raw == CompletableFuture.class) {
            return recorded(name, isWrite, Form.STAGE, argument(result), method);
        }
        if (raw.getName().equals(MONO)) {
            return recorded(name, isWrite, Form.MONO, argument(result), method);
        }
        if (raw.getName().equals(FLUX)) {
            return recorded(name, isWrite, Form.FLUX, argument(result), method);
        }
        if (raw == void.class) {
            return isWrite ? recorded(name, true, Form.VALUE, Void.class, method)
                    : misused(name, false, method, "it gives nothing, so it is no read: a write is annotated with @RecordedWrite");
        }
        if (READ_ONCE.stream().anyMatch(once -> once.isAssignableFrom(raw)) || isPublisher(raw)) {
            return misused(name, isWrite, method, "what it gives, " + raw.getSimpleName() + ", can be read only once: give a list, a value,"
                    + " a CompletableFuture, a Mono or a Flux");
        }
        return recorded(name, isWrite, Form.VALUE, result, method);
    }

    private static boolean isPublisher(Class<?> raw) {
        return raw.getName().equals(PUBLISHER)
                || Arrays.stream(raw.getInterfaces()).anyMatch(ResultForms::isPublisher)
                || raw.getSuperclass() != null && isPublisher(raw.getSuperclass());
    }

    private static Type argument(Type result) {
        return result instanceof ParameterizedType parameterized ? parameterized.getActualTypeArguments()[0] : Object.class;
    }

    private static RecordedMethod recorded(String name, boolean isWrite, Form form, Type type, Method method) {
        return isConcrete(type) ? new RecordedMethod(name, isWrite, Arguments.of(method), form, type, null)
                : misused(name, isWrite, method, "the type of its result, " + method.getGenericReturnType().getTypeName()
                        + ", is known to its caller only: give a concrete one");
    }

    private static RecordedMethod misused(String name, boolean isWrite, Method method, String why) {
        return new RecordedMethod(name, isWrite, Arguments.of(method), Form.VALUE, Object.class, why);
    }

    private static boolean isConcrete(Type type) {
        if (type instanceof ParameterizedType parameterized) {
            return Arrays.stream(parameterized.getActualTypeArguments()).allMatch(ResultForms::isConcrete);
        }
        if (type instanceof WildcardType wildcard) {
            return Arrays.stream(wildcard.getUpperBounds()).allMatch(ResultForms::isConcrete);
        }
        if (type instanceof GenericArrayType array) {
            return isConcrete(array.getGenericComponentType());
        }
        return !(type instanceof TypeVariable<?>);
    }
}
