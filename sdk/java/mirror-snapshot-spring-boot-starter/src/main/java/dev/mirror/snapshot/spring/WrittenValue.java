package dev.mirror.snapshot.spring;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The argument of a {@link RecordedWrite} that is what it writes: the agent compares production's with the mirror's, so that a mirror
 * that answers right but would have written something else is found.
 *
 * <p>It is no part of the key, which the other arguments make: the key says of what, this says what. One is filed as it is, several as
 * a JSON array. It is anything that Jackson writes, as it is when the write begins; null is nothing. May stand in an interface.
 */
@Documented
@Target(ElementType.PARAMETER)
@Retention(RetentionPolicy.RUNTIME)
public @interface WrittenValue {}
