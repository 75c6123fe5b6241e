package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import java.util.List;
import java.util.Optional;
import org.springframework.data.annotation.Id;
import org.springframework.data.relational.core.mapping.Table;
import org.springframework.data.repository.CrudRepository;

/** A repository of Spring Data. */
public interface StockRepository extends CrudRepository<StockRepository.Row, Long> {
    /** A row of the table. */
    @Table("stock")
    record Row(@Id Long id, String name, int pieces) {}

    @RecordedRead("rows by name")
    List<Row> findByName(String name);

    @Override
    @RecordedRead("row")
    Optional<Row> findById(Long id);

    @Override
    @RecordedWrite("row")
    <S extends Row> S save(S row);
}
