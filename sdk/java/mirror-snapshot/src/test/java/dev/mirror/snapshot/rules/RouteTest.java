package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class RouteTest {
    private static void check(String route, String method, String path, boolean matches) throws NotUnderstood {
        assertEquals(matches, Route.parse(route).matches(method, new Target("GET", path)), route + " for " + method + " " + path);
    }

    @Test
    void patterns_match_whole_segments() throws NotUnderstood {
        check("PUT /users/*/address", "PUT", "/users/7/address", true);
        check("PUT /users/*/address", "PUT", "/users/7/8/address", false);
        check("PUT /users/*/address", "PUT", "/users/address", false);
        check("PUT /users/*/address", "PUT", "/users//address?a", true);
        check("* /users/{user}", "GET", "/users/7", true);
        check("* /users/{user}", "GET", "/users/", false);
        check("GET /users", "GET", "/users/", false);
        check("GET /users", "GET", "/usersx", false);
        check("GET /users/", "GET", "/users", false);
        check("GET /static/**", "GET", "/static/a/b.css", true);
        check("GET /static/**", "GET", "/static/", true);
        check("GET /static/**", "GET", "/static", false);
        check("GET /**", "GET", "/", true);
        check("GET /**", "GET", "*", false);
        check("GET /", "GET", "http://host", true);
        check("GET /", "POST", "/", false);
        check("GET  \t /a", "GET", "/a", true);
    }

    @Test
    void a_named_segment_is_the_first_of_that_name() throws NotUnderstood {
        Route route = Route.parse("GET /a/{x}/{y}/{x}");
        assertEquals(1, route.place("x"));
        assertEquals("1", new Target("GET", "/a/1/2/3").place(1));
        assertEquals(-1, route.place("a"));
    }

    @Test
    void what_is_no_route_is_refused_with_an_example() {
        String[] none = {"", "POST", "/orders", "post /orders", "POST orders", "POST /a b", "GET /a**", "GET /**/a", "GET /{}", "GET /a{b}", "GET /{a}b", "G3T /a", "** /a"};
        for (String text : none) {
            assertTrue(assertThrows(NotUnderstood.class, () -> Route.parse(text), text).getMessage().contains("for example"));
        }
    }
}
