package dev.mirror.snapshot.spring;

import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.DeferredImportSelector;
import org.springframework.context.annotation.Import;
import org.springframework.core.type.AnnotationMetadata;

/** All that the starter configures, and nothing else, by name as Spring Boot takes it. */
@Configuration(proxyBeanMethods = false)
@Import(Starter.Selector.class)
public class Starter {
    static final class Selector implements DeferredImportSelector {
        @Override
        public String[] selectImports(AnnotationMetadata metadata) {
            List<String> names = new ArrayList<>();
            ImportCandidates.load(AutoConfiguration.class, getClass().getClassLoader())
                    .forEach(name -> names.add(name.startsWith("dev.mirror.") ? name : ""));
            names.removeIf(String::isEmpty);
            return names.toArray(String[]::new);
        }
    }
}
