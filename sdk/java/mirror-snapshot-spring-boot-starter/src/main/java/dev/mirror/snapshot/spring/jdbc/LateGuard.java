package dev.mirror.snapshot.spring.jdbc;

import dev.mirror.snapshot.guard.WriteGuard;
import org.springframework.beans.factory.ObjectProvider;

/** The service's guard, asked for at the first write: beans are guarded before it can be made. */
final class LateGuard implements WriteGuard {
    private final ObjectProvider<WriteGuard> guards;

    LateGuard(ObjectProvider<WriteGuard> guards) {
        this.guards = guards;
    }

    @Override
    public Verdict judge(String kind, String what) {
        return guards.getObject().judge(kind, what);
    }

    @Override
    public boolean mayAllow(String kind) {
        return guards.getObject().mayAllow(kind);
    }
}
