/** Snapshots of the requests of servlets. */
@NullMarked
package dev.mirror.snapshot.spring.servlet;

import org.jspecify.annotations.NullMarked;
