/** What is filed of a request, and what names it. */
@NullMarked
package dev.mirror.snapshot.document;

import org.jspecify.annotations.NullMarked;
