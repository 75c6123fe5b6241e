package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.multipart.MultipartFile;

/** A service on Tomcat that takes bodies in every way there is, and gives them back. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@Import(Bodies.Echo.class)
public class Bodies {
    /** Requests whose listener was told of a failure, and could end them. */
    static final AtomicInteger GIVEN_UP = new AtomicInteger();

    @RestController
    static class Echo {
        @PostMapping("/json/bytes")
        byte[] bytes(@RequestBody(required = false) byte[] body) {
            return body == null ? new byte[0] : body;
        }

        @PostMapping("/json/map")
        Map<String, Object> map(@RequestBody Map<String, Object> body) {
            return body;
        }

        @PostMapping("/form/param")
        String param(@RequestParam String user) {
            return user;
        }

        @PutMapping("/form/put")
        String put(@RequestParam String user) {
            return user;
        }

        @PostMapping("/form/part")
        String part(@RequestParam MultipartFile file, @RequestParam String user) throws IOException {
            return user + " " + new String(file.getBytes(), StandardCharsets.UTF_8);
        }
    }

    @Bean
    ServletRegistrationBean<HttpServlet> raw() {
        ServletRegistrationBean<HttpServlet> servlet = new ServletRegistrationBean<>(new Raw(), "/json/raw/*", "/form/raw/*");
        servlet.setAsyncSupported(true);
        return servlet;
    }

    /** Without Spring between. */
    static final class Raw extends HttpServlet {
        private static final long serialVersionUID = 1;

        @Override
        protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
            switch (request.getPathInfo()) {
                case "/stream" -> stream(request, response);
                case "/single" -> single(request, response);
                case "/reader" -> response.getOutputStream()
                        .write(request.getReader().lines().collect(Collectors.joining("\n")).getBytes(StandardCharsets.UTF_8));
                case "/listener" -> listener(request, response);
                case "/patient" -> patient(request);
                case "/parameters" -> parameters(request, response);
                case "/ignored" -> response.getWriter().print("ignored");
                default -> response.sendError(404);
            }
        }

        private static void stream(HttpServletRequest request, HttpServletResponse response) throws IOException {
            ServletInputStream in = request.getInputStream();
            byte[] body = in.readAllBytes();
            response.setHeader("x-finished", in.isFinished() + " " + in.available() + " " + in.read());
            response.getOutputStream().write(body);
        }

        private static void single(HttpServletRequest request, HttpServletResponse response) throws IOException {
            ServletInputStream in = request.getInputStream();
            int read;
            while ((read = in.read()) >= 0) {
                response.getOutputStream().write(read);
            }
        }

        private static void parameters(HttpServletRequest request, HttpServletResponse response) throws IOException {
            Map<String, String> all = new TreeMap<>();
            request.getParameterMap().forEach((name, values) -> all.put(name, String.join("|", values)));
            response.setCharacterEncoding("UTF-8");
            response.getWriter().print(all + " " + request.getParameter("user") + " " + request.getParameter("none"));
        }

        private static void listener(HttpServletRequest request, HttpServletResponse response) throws IOException {
            AsyncContext async = request.startAsync();
            ServletInputStream in = request.getInputStream();
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            in.setReadListener(new ReadListener() {
                @Override
                public void onDataAvailable() throws IOException {
                    byte[] piece = new byte[1000];
                    while (in.isReady() && !in.isFinished()) {
                        int read = in.read(piece);
                        if (read > 0) {
                            body.write(piece, 0, read);
                        }
                    }
                }

                @Override
                public void onAllDataRead() throws IOException {
                    async.getResponse().getOutputStream().write(body.toByteArray());
                    async.complete();
                }

                @Override
                public void onError(Throwable error) {
                    async.complete();
                    GIVEN_UP.incrementAndGet();
                }
            });
        }

        /** Returns late, and answers whether its listener was called meanwhile. */
        private static void patient(HttpServletRequest request) throws IOException {
            AsyncContext async = request.startAsync();
            CountDownLatch called = new CountDownLatch(1);
            AtomicReference<String> when = new AtomicReference<>("before");
            request.getInputStream().setReadListener(new ReadListener() {
                @Override
                public void onDataAvailable() throws IOException {
                    async.getResponse().getOutputStream().print(when.get() + " on " + Thread.currentThread().getName());
                    called.countDown();
                    request.getInputStream().readAllBytes();
                }

                @Override
                public void onAllDataRead() {
                    async.complete();
                }

                @Override
                public void onError(Throwable error) {
                    async.complete();
                }
            });
            try {
                called.await(300, TimeUnit.MILLISECONDS);
                when.set("after");
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
