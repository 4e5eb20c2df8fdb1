/** The words of the statements that a query may have. */
export const KEYWORDS =
  "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET WITH AS JOIN LEFT RIGHT FULL INNER CROSS ON USING UNION ALL EXCEPT INTERSECT DISTINCT VALUES AND OR NOT IN EXISTS BETWEEN LIKE ILIKE IS NULL TRUE FALSE CASE WHEN THEN ELSE END CAST TRY_CAST OVER PARTITION ROWS RANGE FILTER QUALIFY ASC DESC NULLS FIRST LAST INTERVAL DATE TIMESTAMP".split(
    " ",
  );

/** The functions that a query may call. */
export const FUNCTIONS =
  "coalesce ifnull nvl nullif greatest least abs ceil floor round trunc signum power sqrt exp ln log concat concat_ws length lower upper initcap trim btrim ltrim rtrim lpad rpad left right substr substring position strpos contains starts_with ends_with replace translate reverse split_part regexp_like regexp_count regexp_replace date_trunc date_part extract make_date md5 sha256 sha512 encode count sum avg min max bool_and bool_or string_agg first_value last_value stddev var_samp corr row_number rank dense_rank percent_rank ntile lag lead nth_value".split(
    " ",
  );
