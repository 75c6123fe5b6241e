/**
 * What keeps a mirror from writing where it must not: {@link dev.mirror.snapshot.guard.GuardedDataSource} for JDBC, and
 * {@link dev.mirror.snapshot.guard.WriteGuard} to be asked before any other write.
 */
@NullMarked
package dev.mirror.snapshot.guard;

import org.jspecify.annotations.NullMarked;
