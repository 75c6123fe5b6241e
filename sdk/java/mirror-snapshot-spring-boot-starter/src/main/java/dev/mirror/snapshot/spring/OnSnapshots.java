package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Profile;
import java.util.Arrays;
import org.springframework.boot.autoconfigure.condition.ConditionOutcome;
import org.springframework.boot.autoconfigure.condition.SpringBootCondition;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.core.type.AnnotatedTypeMetadata;

/** Asks {@link Part} which part the service plays. */
final class OnSnapshots extends SpringBootCondition {
    @Override
    public ConditionOutcome getMatchOutcome(ConditionContext context, AnnotatedTypeMetadata metadata) {
        Profile[] parts = metadata.getAnnotations().get(ConditionalOnSnapshots.class).getEnumArray("value", Profile.class);
        Profile part = Part.of(context.getEnvironment()).profile();
        String message = "the service's part in snapshots is " + part;
        return new ConditionOutcome(Arrays.asList(parts).contains(part), message);
    }
}
