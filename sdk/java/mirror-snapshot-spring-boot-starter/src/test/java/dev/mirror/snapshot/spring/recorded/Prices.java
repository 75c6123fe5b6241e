package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.RecordedRead;

/** A client whose implementation is made when the service starts. */
public interface Prices {
    @RecordedRead("price")
    Stock price(String name);

    /** Gives the same on both sides. */
    String unrecorded();
}
