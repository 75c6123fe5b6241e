package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.yaml.snakeyaml.Yaml;

/** Each snippet of the README is what it says: the Java compiles, and the settings exist. */
class ReadmeTest {
    private static final Path README = Path.of("../README.md");
    /** Named in the text and its tables, without the prefix. */
    private static final Pattern SETTING = Pattern.compile("`(?:mirror\\.snapshot\\.)?((?:on-|wait\\.|queue\\.|guard\\.|max-|enabled|peer)[a-z.-]*)[=:`]");

    private static List<String> snippets(String language) throws IOException {
        List<String> snippets = new ArrayList<>();
        Matcher matcher = Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(README));
        while (matcher.find()) {
            snippets.add(matcher.group(1));
        }
        return snippets;
    }

    @Test
    void every_java_snippet_compiles(@TempDir Path out) throws IOException {
        List<String> snippets = snippets("java");
        assertTrue(snippets.size() >= 5, "found " + snippets.size());
        for (int n = 0; n < snippets.size(); n++) {
            String source = "package snippet" + n + ";\n" + snippets.get(n);
            DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
            List<String> options = List.of("-d", out.toString(), "-parameters", "-proc:none", "-Xlint:all,-processing,-path,-classfile,-options",
                    "-classpath", System.getProperty("java.class.path"));
            boolean compiled = ToolProvider.getSystemJavaCompiler()
                    .getTask(null, null, found, options, null, List.of(new Snippet(n, source))).call();
            assertTrue(compiled && found.getDiagnostics().isEmpty(), source + "\n" + found.getDiagnostics());
        }
    }

    @Test
    void every_setting_that_is_named_exists() throws IOException {
        Set<String> known = settings();
        Set<String> named = new HashSet<>();
        for (String snippet : snippets("yaml")) {
            names("", new Yaml().load(snippet), named);
        }
        Matcher matcher = SETTING.matcher(Files.readString(README));
        while (matcher.find()) {
            named.add("mirror.snapshot." + matcher.group(1));
        }
        assertTrue(named.size() >= 8, named.toString());
        named.removeAll(known);
        assertEquals(Set.of(), named);
    }

    private static void names(String prefix, Object value, Set<String> names) {
        if (value instanceof Map<?, ?> map) {
            map.forEach((key, inner) -> names(prefix.isEmpty() ? key.toString() : prefix + "." + key, inner, names));
        } else {
            names.add(prefix);
        }
    }

    private static Set<String> settings() throws IOException {
        Set<String> names = new HashSet<>();
        Enumeration<java.net.URL> found = ReadmeTest.class.getClassLoader().getResources("META-INF/spring-configuration-metadata.json");
        while (found.hasMoreElements()) {
            try (InputStream in = found.nextElement().openStream()) {
                for (JsonNode property : new ObjectMapper().readTree(in).get("properties")) {
                    names.add(property.get("name").textValue());
                }
            }
        }
        return names;
    }

    /** What the README says of meters is what there is. */
    @Test
    void every_meter_that_is_named_is_in_the_code() throws IOException {
        Matcher matcher = Pattern.compile("`(mirror\\.snapshot\\.(?:puts|requests|looks|reads|writes|effects|waits|pending\\.documents))`").matcher(Files.readString(README));
        Path sources = Path.of("../mirror-snapshot-spring-boot-starter/src/main/java");
        String code;
        try (Stream<Path> files = Files.walk(sources)) {
            code = String.join("\n", files.filter(file -> file.toString().endsWith(".java")).map(ReadmeTest::text).toList());
        }
        Set<String> named = new HashSet<>();
        while (matcher.find()) {
            named.add(matcher.group(1));
            assertTrue(code.contains('"' + matcher.group(1)), matcher.group(1));
        }
        assertEquals(8, named.size(), named.toString());
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static final class Snippet extends SimpleJavaFileObject {
        private final String source;

        Snippet(int n, String source) {
            super(URI.create("string:///snippet" + n + "/Snippet.java"), Kind.SOURCE);
            this.source = source;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return source;
        }
    }
}
