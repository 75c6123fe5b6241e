package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.RecordedRead;

/** Its type variable is known by who implements it. */
public interface Generic<T> {
    @RecordedRead("generic")
    T generic(String name);
}
