package dev.mirror.snapshot.spring;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.springframework.core.annotation.AliasFor;

/**
 * A method that reads: in production what it gives or throws is recorded, in the mirror it is not called and its result comes
 * from the request's snapshot.
 *
 * <p>On methods of a bean's class or of an interface that it has, such as a repository's or a client's. The arguments are the
 * read's key: none is an empty text, one its text, several a JSON array. The result may be anything that Jackson writes and
 * reads, {@code Optional}, a collection, {@code CompletableFuture}, {@code Mono} or {@code Flux}; not {@code void}, a stream or
 * an iterator, which can be read once only.
 *
 * <p>As with every annotation of this kind, only calls from other beans count: a bean that calls its own method goes past it.
 * Final classes and methods cannot be recorded either; the log says so at the start.
 */
@Documented
@Target({ElementType.METHOD, ElementType.ANNOTATION_TYPE})
@Retention(RetentionPolicy.RUNTIME)
public @interface RecordedRead {
    /** The read's name; unless told the simple name of the class or interface, a point, and the method's name. */
    @AliasFor("name")
    String value() default "";

    /** The read's name. */
    @AliasFor("value")
    String name() default "";
}
