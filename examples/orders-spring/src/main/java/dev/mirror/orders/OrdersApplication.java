package dev.mirror.orders;

import static org.springframework.web.servlet.function.RouterFunctions.route;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.web.servlet.function.RouterFunction;
import org.springframework.web.servlet.function.ServerResponse;

/**
 * An order service over a relational database, as a service that takes part: one code base, two profiles. In
 * {@code production} it reads its database and files what it read; in {@code mirror} it reads that instead.
 *
 * <p>Its three routes show the three ways to do that, from least to most control: {@link ProductController},
 * {@link CartController}, {@link OrderController}. Version 2 has one planted mistake that its answers show; {@code orders.mistake} plants one
 * that they do not.
 */
@SpringBootApplication(proxyBeanMethods = false)
@EnableConfigurationProperties(OrdersOptions.class)
@EnableScheduling
public class OrdersApplication {
    public static void main(String[] args) {
        SpringApplication.run(OrdersApplication.class, args);
    }

    @Bean
    RouterFunction<ServerResponse> healthz() {
        return route().GET("/healthz", request -> ServerResponse.ok().body("ok")).build();
    }
}
