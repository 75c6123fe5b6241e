package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.WrittenValue;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.core.MethodParameter;
import org.springframework.core.annotation.AnnotatedMethod;

/**
 * Which arguments of an annotated method name what it reads or writes, and which are what it writes.
 *
 * @param key their places
 * @param written their places
 */
record Arguments(List<Integer> key, List<Integer> written) {
    /** As the method's parameters, or those of the interface's method that it implements, are annotated. */
    static Arguments of(Method method) {
        List<Integer> key = new ArrayList<>();
        List<Integer> written = new ArrayList<>();
        for (MethodParameter parameter : new AnnotatedMethod(method).getMethodParameters()) {
            (parameter.hasParameterAnnotation(WrittenValue.class) ? written : key).add(parameter.getParameterIndex());
        }
        return new Arguments(List.copyOf(key), List.copyOf(written));
    }

    /** None: an empty text; one: itself; several: a list, which is written as a JSON array. */
    Object key(Object[] arguments) {
        return key.isEmpty() ? "" : some(arguments, key);
    }

    /** Null where there is none. */
    @Nullable Object written(Object[] arguments) {
        return written.isEmpty() ? null : some(arguments, written);
    }

    private static Object some(Object[] arguments, List<Integer> places) {
        if (places.size() == 1) {
            return arguments[places.get(0)];
        }
        List<Object> some = new ArrayList<>(places.size());
        places.forEach(place -> some.add(arguments[place]));
        return some;
    }
}
