package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.ConditionalOnSnapshots;
import dev.mirror.snapshot.spring.SnapshotAutoConfiguration;
import dev.mirror.snapshot.spring.SnapshotProperties;
import dev.mirror.snapshot.spring.web.WebSettings;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import java.util.EnumSet;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.ServletListenerRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.env.Environment;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.config.annotation.AsyncSupportConfigurer;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** The filter of servlet services, and what Spring MVC needs beside it. */
@AutoConfiguration(after = SnapshotAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass({Filter.class, FilterRegistrationBean.class})
@ConditionalOnSnapshots
public class SnapshotServletConfiguration {
    private final SnapshotRequestListener listener = new SnapshotRequestListener();
    private final WebSettings settings;

    SnapshotServletConfiguration(SnapshotProperties properties, Environment environment) {
        this.settings = WebSettings.of(properties, environment);
    }

    @Bean
    FilterRegistrationBean<SnapshotFilter> mirrorSnapshotFilter(Snapshots snapshots) {
        FilterRegistrationBean<SnapshotFilter> filter =
                new FilterRegistrationBean<>(new SnapshotFilter(snapshots, settings, listener));
        filter.setOrder(Ordered.HIGHEST_PRECEDENCE);
        filter.setDispatcherTypes(EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.ERROR));
        filter.setAsyncSupported(true);
        return filter;
    }

    @Bean
    ServletListenerRegistrationBean<SnapshotRequestListener> mirrorSnapshotRequestListener() {
        return new ServletListenerRegistrationBean<>(listener);
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({HandlerExceptionResolver.class, WebMvcConfigurer.class})
    static class Mvc {
        @Bean
        @ConditionalOnSnapshots(Profile.MIRROR)
        RefusalResolver mirrorSnapshotRefusalResolver() {
            return new RefusalResolver();
        }

        @Bean
        WebMvcConfigurer mirrorSnapshotCallables(SnapshotProperties properties, Environment environment) {
            CallableScopes scopes = new CallableScopes(WebSettings.of(properties, environment).mdcKey());
            return new WebMvcConfigurer() {
                @Override
                public void configureAsyncSupport(AsyncSupportConfigurer configurer) {
                    configurer.registerCallableInterceptors(scopes);
                }
            };
        }
    }
}
