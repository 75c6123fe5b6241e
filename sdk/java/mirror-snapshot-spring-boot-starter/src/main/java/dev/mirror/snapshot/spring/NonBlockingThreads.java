package dev.mirror.snapshot.spring;

import java.util.function.BooleanSupplier;
import org.springframework.util.ClassUtils;
import reactor.core.scheduler.Schedulers;

/** Tells threads that must not wait, as an event loop's. Only {@link Reactor} knows of Reactor. */
final class NonBlockingThreads {
    private NonBlockingThreads() {}

    /** Whether the calling thread must not wait. */
    static BooleanSupplier current() {
        return ClassUtils.isPresent("reactor.core.scheduler.Schedulers", NonBlockingThreads.class.getClassLoader())
                ? Reactor.current() : () -> false;
    }

    private static final class Reactor {
        static BooleanSupplier current() {
            return Schedulers::isInNonBlockingThread;
        }
    }
}
