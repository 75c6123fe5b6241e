package dev.mirror.snapshot.spring.jdbc;

import dev.mirror.snapshot.spring.SnapshotProperties.Writes;
import org.springframework.boot.autoconfigure.condition.ConditionOutcome;
import org.springframework.boot.autoconfigure.condition.SpringBootCondition;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.core.type.AnnotatedTypeMetadata;

/** Whether {@code mirror.snapshot.guard.jdbc} is anything but off. */
final class OnJdbcGuard extends SpringBootCondition {
    @Override
    public ConditionOutcome getMatchOutcome(ConditionContext context, AnnotatedTypeMetadata metadata) {
        Writes writes;
        try {
            writes = Binder.get(context.getEnvironment()).bind("mirror.snapshot.guard.jdbc", Writes.class).orElse(Writes.REFUSE);
        } catch (BindException unknown) {
            // The properties' own binding says so.
            writes = Writes.REFUSE;
        }
        return new ConditionOutcome(writes != Writes.OFF, "mirror.snapshot.guard.jdbc is " + writes);
    }
}
