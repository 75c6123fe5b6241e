package dev.mirror.snapshot.spring.actuate;

import org.springframework.boot.autoconfigure.condition.ConditionOutcome;
import org.springframework.boot.autoconfigure.condition.SpringBootCondition;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.core.env.Environment;
import org.springframework.core.type.AnnotatedTypeMetadata;

/** Whether {@code management.health.snapshots.enabled} says so; Spring Boot's own condition has moved between its lines. */
final class OnHealth extends SpringBootCondition {
    @Override
    public ConditionOutcome getMatchOutcome(ConditionContext context, AnnotatedTypeMetadata metadata) {
        Environment environment = context.getEnvironment();
        boolean all = environment.getProperty("management.health.defaults.enabled", Boolean.class, true);
        boolean enabled = environment.getProperty("management.health.snapshots.enabled", Boolean.class, all);
        return new ConditionOutcome(enabled, "management.health.snapshots.enabled is " + enabled);
    }
}
