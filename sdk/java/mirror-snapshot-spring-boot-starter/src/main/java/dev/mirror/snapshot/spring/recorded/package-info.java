/** Methods with annotations, whose results are recorded and served. */
@NullMarked
package dev.mirror.snapshot.spring.recorded;

import org.jspecify.annotations.NullMarked;
