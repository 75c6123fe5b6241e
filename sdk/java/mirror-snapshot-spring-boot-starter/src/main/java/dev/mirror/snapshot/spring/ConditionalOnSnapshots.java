package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Profile;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.springframework.context.annotation.Conditional;

/** Only where the service plays one of these parts, and snapshots are not switched off. */
@Documented
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Conditional(OnSnapshots.class)
public @interface ConditionalOnSnapshots {
    /** The parts; both of them unless told. */
    Profile[] value() default {Profile.PRODUCTION, Profile.MIRROR};
}
