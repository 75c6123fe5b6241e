package dev.mirror.orders;

import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/** The first way, with least to write: an annotation on the method that reads, in {@link Products}. */
@RestController
class ProductController {
    private final Products products;

    ProductController(Products products) {
        this.products = products;
    }

    @GetMapping("/products/{id}")
    Product product(@PathVariable int id) {
        return products.find(id).orElseThrow(NoSuchProduct::new);
    }
}
