package dev.mirror.snapshot.spring;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.springframework.core.annotation.AliasFor;

/**
 * A method that writes: in production what it gives or throws is recorded, in the mirror it is never called, and is answered
 * as in production or refused, as {@code mirror.snapshot.on-write} says. It may give {@code void}. An argument with {@link WrittenValue}
 * is what it writes, and no part of the key. All else is as with {@link RecordedRead}.
 */
@Documented
@Target({ElementType.METHOD, ElementType.ANNOTATION_TYPE})
@Retention(RetentionPolicy.RUNTIME)
public @interface RecordedWrite {
    /** The write's name; unless told the simple name of the class or interface, a point, and the method's name. */
    @AliasFor("name")
    String value() default "";

    /** The write's name. */
    @AliasFor("value")
    String name() default "";
}
