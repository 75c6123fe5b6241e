/** What both kinds of web share. */
@NullMarked
package dev.mirror.snapshot.spring.web;

import org.jspecify.annotations.NullMarked;
