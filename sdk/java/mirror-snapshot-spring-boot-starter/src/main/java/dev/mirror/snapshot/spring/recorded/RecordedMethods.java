package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.aop.support.AopUtils;
import org.springframework.core.MethodIntrospector;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.core.annotation.AnnotationUtils;
import org.springframework.util.ClassUtils;
import org.springframework.util.ReflectionUtils;

/** Finds annotated methods, once for each, and keeps what is wrong with them. */
final class RecordedMethods {
    private static final Logger LOG = LoggerFactory.getLogger(RecordedMethods.class);

    private record Place(Method method, Class<?> in) {}

    private final Map<Place, Optional<RecordedMethod>> found = new ConcurrentHashMap<>();
    private final Set<String> misuses = ConcurrentHashMap.newKeySet();

    /** The annotated methods of a class, of what it extends and what it implements. */
    Set<Method> in(Class<?> type) {
        if (!AnnotationUtils.isCandidateClass(type, List.of(RecordedRead.class, RecordedWrite.class))) {
            return Set.of();
        }
        try {
            return MethodIntrospector.selectMethods(type, (ReflectionUtils.MethodFilter) RecordedMethods::isAnnotated);
        } catch (RuntimeException | LinkageError notLoaded) {
            // A class that names others which are not there has no method that could be called either.
            LOG.debug("{} was not looked through for annotations", type, notLoaded);
            return Set.of();
        }
    }

    private static boolean isAnnotated(Method method) {
        return AnnotatedElementUtils.hasAnnotation(method, RecordedRead.class)
                || AnnotatedElementUtils.hasAnnotation(method, RecordedWrite.class);
    }

    /**
     * How a call is recorded; empty where it is not.
     *
     * @param method as it is called
     * @param target the class of the object behind the proxy, or null
     */
    Optional<RecordedMethod> find(Method method, @Nullable Class<?> target) {
        Class<?> in = target == null ? method.getDeclaringClass() : ClassUtils.getUserClass(target);
        return found.computeIfAbsent(new Place(method, used(method, in)), RecordedMethods.this::read);
    }

    /** Of a proxy the interface that is used, which says more than the proxy's class. */
    private static Class<?> used(Method method, Class<?> target) {
        if (!Proxy.isProxyClass(target)) {
            return target;
        }
        for (Class<?> candidate : target.getInterfaces()) {
            if (method.getDeclaringClass().isAssignableFrom(candidate)) {
                return candidate;
            }
        }
        return method.getDeclaringClass();
    }

    private Optional<RecordedMethod> read(Place place) {
        Method specific = AopUtils.getMostSpecificMethod(place.method, place.in);
        Method annotated = isAnnotated(specific) ? specific : place.method;
        RecordedRead read = AnnotatedElementUtils.findMergedAnnotation(annotated, RecordedRead.class);
        RecordedWrite write = AnnotatedElementUtils.findMergedAnnotation(annotated, RecordedWrite.class);
        if (read == null && write == null) {
            return Optional.empty();
        }
        boolean isWrite = write != null;
        String told = isWrite ? write.name() : read.name();
        String name = told.isEmpty() ? place.in.getSimpleName() + "." + annotated.getName() : told;
        Class<?> in = annotated.getDeclaringClass().isAssignableFrom(place.in) ? place.in : annotated.getDeclaringClass();
        RecordedMethod method = ResultForms.of(name, isWrite, annotated, in);
        if (method.misuse() != null) {
            misused(annotated.getDeclaringClass().getName() + "." + annotated.getName(), method.misuse());
        }
        return Optional.of(method);
    }

    /** Says so, once. */
    void misused(String what, String why) {
        if (misuses.add(what + ": " + why)) {
            LOG.error("{} is not recorded, and in a mirror not served: {}", what, why);
        }
    }

    /** What is annotated and cannot be recorded, and what to do about it. */
    Set<String> misuses() {
        return new LinkedHashSet<>(misuses);
    }
}
