/** Keeps a mirror from writing through JDBC. */
@NullMarked
package dev.mirror.snapshot.spring.jdbc;

import org.jspecify.annotations.NullMarked;
