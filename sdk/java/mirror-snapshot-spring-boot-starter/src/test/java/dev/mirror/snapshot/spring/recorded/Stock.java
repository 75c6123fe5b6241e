package dev.mirror.snapshot.spring.recorded;

import java.math.BigDecimal;

/** Something that is read. */
public record Stock(String name, BigDecimal price) {}
