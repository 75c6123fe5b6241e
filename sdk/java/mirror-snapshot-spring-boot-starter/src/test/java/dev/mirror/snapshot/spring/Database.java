package dev.mirror.snapshot.spring;

import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.core.env.Environment;

/** Stands for a database: its values change with every read, and it counts who touches it. */
public final class Database {
    private final boolean isMirror;
    private final AtomicInteger touched = new AtomicInteger();

    public Database(Environment environment) {
        this.isMirror = "mirror".equals(environment.getProperty("mirror.snapshot.profile"))
                || environment.matchesProfiles("mirror");
    }

    /** What only this side knows. */
    public String read(String what) {
        return what + (isMirror ? " of the mirror " : " of production ") + touched.incrementAndGet();
    }

    public int touched() {
        return touched.get();
    }
}
